import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { assign, createActor, sendTo, setup, waitFor, type ActorRefFrom, type AnyActorRef } from 'xstate';
import { agent, type AgentRef } from 'holdfast';
import { nextEvent, start } from '../fixtures/start.ts';
import { agentIn, deadline } from './fixtures/agents.ts';
import differs, { type erring } from './fixtures/differs.ts';
import type { timed } from './fixtures/holders.ts';

/** Each of these is a sentence of docs/location-transparency.md. */
const agents = {
  differs: agent<typeof differs>(agentIn('differs')),
  erring: agent<typeof erring>(agentIn('differs', { export: 'erring' })),
  timed: agent<typeof timed>(agentIn('holders', { export: 'timed' })),
};

const n = (ref: AnyActorRef): unknown => (ref.getSnapshot() as { context?: { n: number } }).context?.n;

/** A machine that reads its child's state in the step that sends it an event. */
const reading = (logic: typeof differs) =>
  setup({
    types: { context: {} as { seen: unknown[]; kid: ActorRefFrom<typeof differs> } },
    actors: { kid: logic },
  }).createMachine({
    context: ({ spawn }) => ({ seen: [], kid: spawn('kid', { id: 'kid' }) }),
    on: {
      go: {
        actions: [
          sendTo('kid', { type: 'inc' }),
          assign({ seen: ({ context }) => [...context.seen, n(context.kid)] }),
        ],
      },
      read: { actions: assign({ seen: ({ context }) => [...context.seen, n(context.kid)] }) },
      hello: {},
    },
  });

test('a child’s new state is there in the next event of its parent if it is local, and later if it is an agent', async () => {
  const runtime = await start({ agents });
  const seen: Record<string, unknown[]> = {};
  for (const [where, logic] of [
    ['local', differs],
    ['agent', runtime.logic('differs') as unknown as typeof differs],
  ] as const) {
    const actor = createActor(reading(logic)).start();
    for (const type of ['go', 'read'] as const) actor.send({ type });
    const { kid } = actor.getSnapshot().context;
    await waitFor(kid, () => n(kid) === 1, deadline);
    seen[where] = actor.getSnapshot().context.seen;
    actor.stop();
  }
  expect(seen).toEqual({ local: [0, 1], agent: [undefined, undefined] });
});

test('exit actions run on a transition, and not on stop', async () => {
  const runtime = await start({ agents });
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'notes');
  const ref = await runtime.spawn('differs');
  await ref.deliver({ type: 'leave', file });
  await ref.stop();
  expect(await readFile(file, 'utf8')).toBe('left\n');
});

test('an actor of an agent that has no parent is stopped at once, its instance soon after', async () => {
  const runtime = await start({ agents });
  const actor = createActor(runtime.logic('differs')).start();
  let completed = false;
  actor.subscribe({ complete: () => (completed = true) });
  await waitFor(actor, ({ context }) => context !== undefined, deadline);
  actor.stop();
  expect([actor.getSnapshot().status, completed]).toEqual(['stopped', true]);
  await expect.poll(() => runtime.status().instances, deadline).toEqual([]);
});

test('a spawned agent is stopped when the promise of its stop is settled', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('differs');
  const stopped = ref.stop();
  expect(ref.getSnapshot().status).toBe('active');
  await stopped;
  expect([ref.getSnapshot().status, runtime.status().instances]).toEqual(['stopped', []]);
});

test('a part of the context that did not change is another object in the next mirror', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('differs', { input: { list: ['a'] } });
  const [plain, compared]: unknown[][] = [[], []];
  const equal = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
  await waitFor(ref, ({ context }) => context !== undefined, deadline);
  ref.select(({ context }) => context.list).subscribe((list) => plain?.push(list));
  ref.select(({ context }) => context.list, equal).subscribe((list) => compared?.push(list));
  ref.send({ type: 'inc' });
  await waitFor(ref, ({ context }) => context.n === 1, deadline);
  expect(plain?.at(-1)).toEqual(['a']);
  expect(compared).toEqual([]);
});

test('a mirrored snapshot has no meta, no machine, and no actors to send to', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('differs');
  const snapshot = await ref.snapshot();
  expect(createActor(differs).getSnapshot().getMeta()).toMatchObject({ '(machine)': { color: 'red' } });
  expect(snapshot.getMeta()).toEqual({});
  expect(snapshot).not.toHaveProperty('machine');
  expect(snapshot.children.spinning?.getSnapshot()).toEqual({ status: 'active' });
  expect(() => snapshot.children.spinning?.send({ type: 'spin' })).toThrow(/passes on with sendTo/);
  expect(snapshot.context).toEqual({ n: 0, list: [], where: ref.address });
});

test('a machine of an agent, and each below it, rests after maxIterations steps or fails', async () => {
  const runtime = await start({ agents: { differs: { ...agents.differs, maxIterations: 25 } } });
  const ref = await runtime.spawn('differs');
  const spun = nextEvent<{ message: string }>((heard) => ref.on('spun' as never, heard));
  ref.send({ type: 'spin' });
  expect((await spun).message).toContain('more than 25 microsteps');
  expect((await ref.snapshot()).status).toBe('active');
});

test('the clock and the logger of an actor in the host are not the agent’s', async () => {
  const runtime = await start({ agents });
  const never = { setTimeout: () => 0, clearTimeout() {} };
  const logged: unknown[] = [];
  const clocked = createActor(runtime.logic('timed'), { clock: never }).start();
  const logging = createActor(runtime.logic('differs'), { logger: (...args) => logged.push(args) }).start();
  await waitFor(clocked, ({ value }) => value === 'late', deadline);
  logging.send({ type: 'log' });
  logging.send({ type: 'inc' });
  await waitFor(logging, ({ context }) => context?.n === 1, deadline);
  expect(logged).toEqual([]);
  for (const actor of [clocked, logging]) actor.stop();
});

test('an error in a reply or in what an agent says is whole, in an event to it as structured clone has it', async () => {
  const runtime = await start({ agents });
  const told: unknown[] = [];
  const machine = setup({ actors: { kid: runtime.logic('erring') } }).createMachine({
    invoke: { id: 'kid', src: 'kid' },
    on: { failed: { actions: ({ event }) => told.push(event['error']) } },
  });
  const actor = createActor(machine).start();
  const kid = actor.getSnapshot().children['kid'] as AgentRef<typeof erring>;
  const emitted = nextEvent<{ error: Error }>((heard) => kid.on('failed', heard));
  kid.send({ type: 'tell' });
  const { error } = (await kid.ask({ type: 'get' })) as { error: Error };
  for (const whole of [error, (await emitted).error, told[0] as Error]) {
    expect(whole).toBeInstanceOf(RangeError);
    expect(whole).toMatchObject({ message: 'far', code: 'E_FAR', cause: { message: 'root' } });
  }
  expect(await kid.ask({ type: 'show', error })).toEqual([]);
  actor.stop();
});

test('self() is known during a turn and at creation, and not after an await', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('differs', { id: 'a' });
  expect((await ref.snapshot()).context.where).toBe('differs/a');
  expect(await ref.ask({ type: 'later' })).toBe('differs/a');
  expect(await ref.ask({ type: 'was.later' })).toEqual([undefined]);
});

test('names in a system are each instance’s own', async () => {
  const runtime = await start({ agents });
  const machine = setup({ actors: { kid: runtime.logic('differs') } }).createMachine({
    invoke: { src: 'kid', systemId: 'the-kid' },
    on: { hello: {} },
  });
  const [one, two] = [createActor(machine).start(), createActor(machine).start()];
  expect(one.system.get('the-kid')).not.toBe(two.system.get('the-kid'));
  expect(runtime.supervisor.system.get('the-kid')).toBeUndefined();
  for (const actor of [one, two]) actor.stop();
});

test('events to an agent that was stopped are dead letters, also if it would be started again', async () => {
  const runtime = await start({ agents });
  const actor = createActor(runtime.logic('differs')).start();
  await waitFor(actor, ({ context }) => context !== undefined, deadline);
  actor.stop();
  actor.send({ type: 'inc' });
  expect(runtime.deadLetters.list().at(-1)).toMatchObject({ reason: 'stopped', event: { type: 'inc' } });
});
