import { expect, expectTypeOf, test } from 'vitest';
import {
  assign,
  createActor,
  sendTo,
  setup,
  toPromise,
  waitFor,
  type ActorRefFrom,
  type EmittedFrom,
  type EventFromLogic,
  type InputFrom,
  type OutputFrom,
} from 'xstate';
import {
  agent,
  type AgentRef,
  type PersistedEnvelope,
  type Runtime,
  type SpawnOptions,
  type ThreadBoundLogic,
} from 'holdfast';
import { agentRef } from 'holdfast/agent';
import type counter from '../fixtures/counter.ts';
import { fixture, start } from '../fixtures/start.ts';
import { agentIn, deadline } from './fixtures/agents.ts';
import type { callback, observable, promise, transition } from './fixtures/logics.ts';

const agents = {
  counter: agent<typeof counter>(fixture('counter')),
  promise: agent<typeof promise>(agentIn('logics', { export: 'promise' })),
  transition: agent<typeof transition>(agentIn('logics', { export: 'transition' })),
  untyped: fixture('counter'),
};

test('the logic of an agent has the types of the agent’s own', () => {
  type Counter = ThreadBoundLogic<typeof counter>;
  expectTypeOf<InputFrom<Counter>>().toEqualTypeOf<{ start?: number } | undefined>();
  expectTypeOf<OutputFrom<Counter>>().toEqualTypeOf<{ total: number }>();
  expectTypeOf<EventFromLogic<Counter>>().toEqualTypeOf<EventFromLogic<typeof counter>>();
  expectTypeOf<EmittedFrom<Counter>>().toEqualTypeOf<{ type: 'hello'; n: number }>();
  expectTypeOf<OutputFrom<ThreadBoundLogic<typeof promise>>>().toEqualTypeOf<{ at: Date }>();
  expectTypeOf<InputFrom<ThreadBoundLogic<typeof callback>>>().toEqualTypeOf<{ readonly file: string }>();
  expectTypeOf<EmittedFrom<ThreadBoundLogic<typeof observable>>>().toEqualTypeOf<{
    type: 'note';
    what: unknown;
  }>();
  expectTypeOf<EventFromLogic<ThreadBoundLogic<typeof transition>>>().toEqualTypeOf<
    { type: 'add'; n: number } | { type: 'sum' } | { type: 'fail' }
  >();
});

test('a reference of an agent takes its events alone, and gives its snapshots', () => {
  type Ref = AgentRef<typeof counter>;
  expectTypeOf<Ref['send']>().parameter(0).toEqualTypeOf<EventFromLogic<typeof counter>>();
  expectTypeOf<Awaited<ReturnType<Ref['snapshot']>>['context']['n']>().toEqualTypeOf<number>();
  expectTypeOf<ReturnType<Ref['getSnapshot']>['context']['n']>().toEqualTypeOf<number>();
  expectTypeOf<Ref['stop']>().returns.resolves.toBeVoid();
  expectTypeOf<ActorRefFrom<ThreadBoundLogic<typeof counter>>['send']>()
    .parameter(0)
    .toEqualTypeOf<EventFromLogic<typeof counter>>();
});

test('setup types input, output, snapshots and events of an agent, and it runs', async () => {
  const runtime = await start({ agents });
  const machine = setup({
    types: { context: {} as { seen: number; total: number } },
    actors: { counter: runtime.logic('counter') },
  }).createMachine({
    context: { seen: -1, total: -1 },
    initial: 'counting',
    states: {
      counting: {
        invoke: {
          id: 'kid',
          src: 'counter',
          input: { start: 3 },
          onSnapshot: {
            actions: assign(({ event }) => {
              expectTypeOf(event.snapshot.context.n).toEqualTypeOf<number>();
              expectTypeOf(event.snapshot.matches).parameter(0).extract<'counting'>().not.toBeNever();
              return { seen: event.snapshot.context.n };
            }),
          },
          onDone: {
            target: 'over',
            actions: assign(({ event }) => {
              expectTypeOf(event.output).toEqualTypeOf<{ total: number }>();
              return { total: event.output.total };
            }),
          },
          onError: {
            actions: ({ event }) => expectTypeOf(event.error).toBeUnknown(),
          },
        },
        on: { finish: { actions: sendTo('kid', { type: 'finish' }) } },
      },
      over: { type: 'final' },
    },
    output: ({ context }) => context,
  });
  const actor = createActor(machine).start();
  await waitFor(actor, ({ context }) => context.seen === 3, deadline);
  actor.send({ type: 'finish' });
  expect(await toPromise(actor)).toEqual({ seen: 3, total: 3 });
});

test('what an agent does not take is a compile error', async () => {
  const runtime = await start({ agents });
  const actors = { counter: runtime.logic('counter'), promise: runtime.logic('promise') };
  const { createMachine } = setup({ actors });
  createMachine({
    // @ts-expect-error -- the start is a number
    invoke: { src: 'counter', input: { start: 'three' } },
  });
  createMachine({
    // @ts-expect-error -- a promise without its input
    invoke: { src: 'promise' },
  });
  createMachine({
    // @ts-expect-error -- no such agent
    invoke: { src: 'nobody' },
  });
  createMachine({
    invoke: {
      src: 'counter',
      onDone: {
        // @ts-expect-error -- the output has no `sum`
        actions: ({ event }) => event.output.sum,
      },
    },
  });
  // @ts-expect-error -- the start is a number
  createActor(actors.counter, { input: { start: 'three' } });
  // @ts-expect-error -- its input is required
  createActor(actors.promise);
  const ref = createActor(actors.counter);
  // @ts-expect-error -- no such event
  expect(() => ref.send({ type: 'nonsense' })).not.toThrow();
  // @ts-expect-error -- nothing of that kind is emitted
  ref.on('nonsense', () => {});
  // @ts-expect-error -- the input has another form
  await expect(runtime.spawn('promise', { input: { how: 'else' } })).resolves.toBeDefined();
  // @ts-expect-error -- no such agent
  expect(() => runtime.logic('nobody')).toThrow('no agent is named "nobody"');
  // An agent whose module is not named in the config's type takes everything.
  createActor(runtime.logic('untyped'), { input: { any: 'thing' } }).send({ type: 'whatever' });
});

const desk = setup({
  types: {
    input: {} as { limit: number },
    context: {} as { limit: number },
    events: {} as { type: 'limit' } | { type: 'buy'; n: number },
  },
}).createMachine({ context: ({ input }) => ({ limit: input.limit }) });

test('an input that the logic requires is required of who spawns it, unless a snapshot has it', () => {
  const typed = {
    desk: agent<typeof desk>(fixture('counter')),
    counter: agent<typeof counter>(fixture('counter')),
  };
  type Desk = Runtime<{ readonly agents: typeof typed }>;
  // Nothing runs: what compiles is all there is to see.
  const uses = async (runtime: Desk, snapshot: PersistedEnvelope): Promise<void> => {
    await runtime.spawn('desk', { input: { limit: 1 } });
    await runtime.spawn('desk', { id: 'a', snapshot });
    await runtime.getOrSpawn('desk', 'a', { input: { limit: 1 } });
    await runtime.getOrSpawn('desk', 'a', { snapshot });
    await runtime.spawn('counter');
    await runtime.spawn('counter', { id: 'a' });
    await runtime.getOrSpawn('counter', 'a');
    // @ts-expect-error the input is missing
    await runtime.spawn('desk');
    // @ts-expect-error the input is missing
    await runtime.spawn('desk', { id: 'a' });
    // @ts-expect-error the input is of another type
    await runtime.spawn('desk', { input: { limit: '1' } });
    // @ts-expect-error the input is missing
    await runtime.getOrSpawn('desk', 'a');
    // @ts-expect-error no option is named so
    await runtime.spawn('desk', { input: { limit: 1 }, ident: 'a' });
  };
  expectTypeOf(uses).toBeFunction();
  expectTypeOf<Parameters<Runtime['spawn']>>().toExtend<[string, (SpawnOptions | undefined)?]>();
});

test('an ask gives what was declared for its event, or what the call says', () => {
  const typed = { desk: agent<typeof desk, { limit: number }>(fixture('counter')) };
  type Ref = Awaited<ReturnType<Runtime<{ readonly agents: typeof typed }>['spawn']>>;
  expectTypeOf<Ref>().toEqualTypeOf<AgentRef<typeof desk, { limit: number }>>();
  const asks = async (ref: Ref, plain: AgentRef<typeof desk>, any: AgentRef): Promise<void> => {
    expectTypeOf(await ref.ask({ type: 'limit' })).toEqualTypeOf<number>();
    expectTypeOf(await ref.ask({ type: 'buy', n: 1 })).toEqualTypeOf<unknown>();
    expectTypeOf(await plain.ask({ type: 'limit' })).toEqualTypeOf<unknown>();
    expectTypeOf(await plain.ask<string>({ type: 'limit' }, { timeoutMs: 5 })).toEqualTypeOf<string>();
    expectTypeOf(await any.ask<{ a: 1 }>({ type: 'any' })).toEqualTypeOf<{ a: 1 }>();
    expectTypeOf(await any.ask({ type: 'any' })).toEqualTypeOf<unknown>();
    // @ts-expect-error it is declared as a number
    const text: string = await ref.ask({ type: 'limit' });
    // @ts-expect-error nobody says what it is
    const said: string = await plain.ask({ type: 'limit' });
    expectTypeOf([text, said]).toEqualTypeOf<string[]>();
    // @ts-expect-error no such event
    await ref.ask({ type: 'reed' });
    // @ts-expect-error a field is missing
    await ref.ask({ type: 'buy' });
    // @ts-expect-error a field is of another type
    await ref.ask<number>({ type: 'buy', n: '1' });
  };
  expectTypeOf(asks).toBeFunction();
  expectTypeOf<AgentRef<typeof desk, { limit: number }>>().toExtend<AgentRef<typeof desk>>();
});

test('an agent that asks another has the same types', () => {
  const asks = async (): Promise<void> => {
    const risk = agentRef<{ type: 'limit' } | { type: 'buy'; n: number }, { limit: number }>('risk/desk');
    expectTypeOf(await risk.ask({ type: 'limit' })).toEqualTypeOf<number>();
    expectTypeOf(await risk.ask<boolean>({ type: 'buy', n: 1 })).toEqualTypeOf<boolean>();
    expectTypeOf(await agentRef('risk/desk').ask({ type: 'limit' })).toEqualTypeOf<unknown>();
    // @ts-expect-error no such event
    await risk.ask({ type: 'reed' });
  };
  expectTypeOf(asks).toBeFunction();
});
