import { expect, test } from 'vitest';
import { assign, createActor, createMachine, toPromise, waitFor } from 'xstate';
import type { DeadLetter, Logger, RuntimeEvents } from 'holdfast';
import { fixture, nextEvent, start } from '../fixtures/start.ts';

const temporary = { restart: 'temporary' } as const;

function collector(): { logger: Logger; logged: string[] } {
  const logged: string[] = [];
  const log = (_fields: object, message: string): void => void logged.push(message);
  return { logged, logger: { debug() {}, info() {}, warn: log, error: log } };
}

test('an error that no observer takes, and an observer that throws, are logged and end nothing', async () => {
  const { logger, logged } = collector();
  const runtime = await start(
    { agents: { counter: fixture('counter', { supervision: temporary }) } },
    { logger },
  );
  const ref = await runtime.spawn('counter');
  ref.subscribe(() => {
    throw new Error('a bad observer');
  });
  ref.on('*', () => {
    throw new Error('a bad listener');
  });
  ref.send({ type: 'greet' });
  await waitFor(ref, (state) => (state as { context?: { n: number } }).context?.n === 0);
  const end = toPromise(ref);
  ref.send({ type: 'fail' });
  await expect(end).rejects.toThrow('out of range');
  expect(new Set(logged)).toEqual(new Set(['an observer threw', 'an instance ended with an error']));
});

test('what is no event becomes a dead letter, and the instance keeps its state', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const ref = await runtime.spawn('counter');
  await ref.deliver({ type: 'inc' });
  const wrong: unknown[] = ['inc', null, undefined, 7, {}, { type: 5 }, { type: 'xstate.stop' }];
  for (const event of wrong) ref.send(event);
  await expect(ref.ask('read')).rejects.toMatchObject({ code: 'MESSAGE_UNCLONABLE' });
  expect(runtime.deadLetters.list().map(({ reason }) => reason)).toEqual(
    Array(wrong.length + 1).fill('unclonable'),
  );
  expect(await ref.ask({ type: 'read' })).toBe(1);
  expect(ref.incarnation).toBe(1);
});

test('an agent that sends to a parent which its actor does not have is done all the same', async () => {
  const runtime = await start({ agents: { callback: fixture('logics', { export: 'callback' }) } });
  const letter = nextEvent<DeadLetter>((listener) => runtime.on('dead-letter', listener));
  const actor = createActor(runtime.logic('callback')).start();
  actor.send({ type: 'ping' });
  expect(await letter).toMatchObject({ reason: 'unknown-address' });
  expect(actor.getSnapshot().status).toBe('active');
  actor.stop();
});

test('an address that a machine has taken for its agent is not given away before the machine starts', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const machine = createMachine({
    types: {} as { context: { n: number } },
    context: { n: 0 },
    invoke: { src: runtime.logic('counter'), onDone: { actions: assign({ n: 1 }) } },
  });
  const parent = createActor(machine);
  await expect(runtime.spawn('counter', { id: '1' })).rejects.toMatchObject({ code: 'ADDRESS_TAKEN' });
  const other = await runtime.spawn('counter');
  parent.start();
  expect(runtime.get('counter/2')).toBe(other);
  expect(runtime.get('counter/1')).toBeDefined();
  parent.stop();
});

test('an agent whose module never finishes loading rejects its spawn in time, and stays nowhere', async () => {
  const runtime = await start({
    agents: { stuck: fixture('never-loaded'), counter: fixture('counter') },
    threads: { pool: { startTimeoutMs: 3000 } },
  });
  const neighbour = await runtime.spawn('counter');
  await expect(runtime.spawn('stuck')).rejects.toMatchObject({ code: 'THREAD_START_TIMEOUT' });
  expect(runtime.status().instances.map(({ address }) => address)).toEqual([neighbour.address]);
  expect(await neighbour.ask({ type: 'read' })).toBe(0);
});

test('a very long time is waited, not none', async () => {
  const runtime = await start({ agents: { process: fixture('process') } });
  const ref = await runtime.spawn('process');
  ref.send({ type: 'spin', ms: 30 });
  for (const timeoutMs of [Infinity, 2 ** 31])
    expect(await ref.ask({ type: 'env' }, { timeoutMs })).toEqual({});
});

test('a snapshot that persist() did not make is refused', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  for (const snapshot of [
    { status: 'active', value: 'counting' },
    { v: 1, snapshot: {}, timers: 'soon' },
  ]) {
    const spawning = runtime.spawn('counter', { snapshot: snapshot as never });
    await expect(spawning).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  }
});

test('restarting is told of what will be restarted, and of nothing else', async () => {
  const runtime = await start({ agents: { counter: fixture('counter', { supervision: temporary }) } });
  const states: string[] = [];
  runtime.on('agent', ({ state }: RuntimeEvents['agent']) => states.push(state));
  const done = await runtime.spawn('counter');
  const finished = toPromise(done);
  done.send({ type: 'finish' });
  await finished;
  const failing = await runtime.spawn('counter');
  const failed = toPromise(failing);
  failing.send({ type: 'fail' });
  await expect(failed).rejects.toThrow('out of range');
  expect(states).toEqual(['running', 'ended', 'running', 'ended']);
});
