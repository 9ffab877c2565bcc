import { expect, test } from 'vitest';
import { assign, createActor, createMachine, setup, spawnChild, stopChild, toPromise, waitFor } from 'xstate';
import { agent } from 'holdfast';
import type counter from '../fixtures/counter.ts';
import type { double } from '../fixtures/logics.ts';
import { fixture, start } from '../fixtures/start.ts';

const agents = {
  counter: agent<typeof counter>(fixture('counter')),
  double: agent<typeof double>(fixture('logics', { export: 'double' })),
  callback: fixture('logics', { export: 'callback' }),
  observable: fixture('logics', { export: 'observable' }),
};

test('a machine invokes an agent and gets its output', async () => {
  const runtime = await start({ agents });
  const machine = setup({
    types: { context: {} as { result: number } },
    actors: { double: runtime.logic('double') },
  }).createMachine({
    context: { result: 0 },
    initial: 'working',
    states: {
      working: {
        invoke: {
          src: 'double',
          input: { n: 21 },
          onDone: { target: 'done', actions: assign({ result: ({ event }) => event.output }) },
        },
      },
      done: { type: 'final' },
    },
    output: ({ context }) => context.result,
  });
  expect(await toPromise(createActor(machine).start())).toBe(42);
  expect(runtime.status().instances).toEqual([]);
});

test('the first error of an invoked agent reaches onError with its class and code', async () => {
  const runtime = await start({ agents });
  const machine = setup({
    types: { context: {} as { error: unknown } },
    actors: { double: runtime.logic('double') },
  }).createMachine({
    context: { error: undefined },
    initial: 'working',
    states: {
      working: {
        invoke: {
          src: 'double',
          input: { n: -1 },
          onError: { target: 'failed', actions: assign({ error: ({ event }) => event.error }) },
        },
      },
      failed: {},
    },
  });
  const actor = createActor(machine).start();
  const { context } = await waitFor(actor, (state) => state.matches('failed'), { timeout: 60_000 });
  expect(context.error).toBeInstanceOf(TypeError);
  expect(context.error).toMatchObject({ message: 'negative', code: 'E_NEGATIVE' });
  expect(runtime.status().restarts).toBe(0);
});

test('onSnapshot mirrors an invoked agent, and leaving the state ends it', async () => {
  const runtime = await start({ agents });
  const machine = setup({
    types: { context: {} as { seen: number } },
    actors: { counter: runtime.logic('counter') },
  }).createMachine({
    context: { seen: -1 },
    initial: 'counting',
    states: {
      counting: {
        invoke: {
          src: 'counter',
          id: 'kid',
          input: { start: 7 },
          onSnapshot: {
            actions: assign({ seen: ({ event }) => event.snapshot.context?.n ?? -1 }),
          },
        },
        on: { leave: 'left' },
      },
      left: {},
    },
  });
  const actor = createActor(machine).start();
  await waitFor(actor, ({ context }) => context.seen === 7, { timeout: 60_000 });
  actor.getSnapshot().children['kid']?.send({ type: 'inc' });
  await waitFor(actor, ({ context }) => context.seen === 8, { timeout: 60_000 });
  expect(runtime.status().instances).toHaveLength(1);
  actor.send({ type: 'leave' });
  await expect.poll(() => runtime.status().instances, { timeout: 60_000 }).toEqual([]);
});

test('what an invoked agent sends to its parent arrives there', async () => {
  const runtime = await start({ agents });
  const machine = createMachine({
    types: {} as { context: { pings: number }; events: { type: 'pong'; pings: number } },
    context: { pings: 0 },
    invoke: { src: runtime.logic('callback'), id: 'kid' },
    on: { pong: { actions: assign({ pings: ({ event }) => event.pings }) } },
  });
  const actor = createActor(machine).start();
  const kid = actor.getSnapshot().children['kid'];
  kid?.send({ type: 'ping' });
  kid?.send({ type: 'ping' });
  const { context } = await waitFor(actor, (state) => state.context.pings === 2, { timeout: 60_000 });
  expect(context.pings).toBe(2);
  actor.stop();
});

test('an agent that is stopped in the transition that spawned it leaves nothing behind', async () => {
  const runtime = await start({ agents });
  const machine = setup({ actors: { counter: runtime.logic('counter') } }).createMachine({
    entry: [spawnChild('counter', { id: 'kid' }), stopChild('kid')],
  });
  const actor = createActor(machine).start();
  expect(runtime.status().instances).toEqual([]);
  actor.stop();
});

test('promises, callbacks, observables and transitions run as agents', async () => {
  const runtime = await start({ agents });
  const promise = await runtime.spawn('double', { input: { n: 4 } });
  const observed = await runtime.spawn('observable', { input: { upTo: 3 } });
  expect(await toPromise(promise)).toBe(8);
  expect(observed.agent).toBe('observable');
});
