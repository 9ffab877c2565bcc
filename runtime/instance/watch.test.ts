import { expect, test } from 'vitest';
import { createActor, createMachine, toPromise } from 'xstate';
import type { AgentRef, IncarnationEnd, Logger, RuntimeEvents, StopReason } from 'holdfast';
import { fixture, nextEvent, start } from '../fixtures/start.ts';

const temporary = { restart: 'temporary' } as const;
const quick = { backoff: { minMs: 1, maxMs: 5, factor: 2, jitter: 0 } };
/** Long enough that a test is over before the restart comes. */
const slow = { backoff: { minMs: 600_000, maxMs: 600_000, factor: 1, jitter: 0 } };

type Watched = Pick<AgentRef, 'watch'>;

const endOf = (ref: Watched): Promise<IncarnationEnd> =>
  nextEvent<IncarnationEnd>((listener) => ref.watch(listener));

const told = (runtime: Awaited<ReturnType<typeof start>>, incarnation: number, state: string) =>
  nextEvent<RuntimeEvents['agent']>(
    (listener) => runtime.on('agent', listener),
    (event) => event.incarnation === incarnation && event.state === state,
  );

const ends: [StopReason, fixtureName: string, event: { type: string }][] = [
  ['done', 'counter', { type: 'finish' }],
  ['error', 'counter', { type: 'fail' }],
  ['error', 'process', { type: 'throw.later' }],
  ['exit', 'process', { type: 'exit', code: 3 } as never],
  ['oom', 'hungry', { type: 'eat' }],
];

test.each(ends)(
  'tells %s of a %s after %o, then and to those who watch later',
  async (reason, name, event) => {
    const runtime = await start({
      agents: { agent: fixture(name, { supervision: temporary }) },
      threads: { pool: { resourceLimits: { maxOldGenerationSizeMb: 16 } } },
    });
    const ref = await runtime.spawn('agent', { id: 'a' });
    const [end, over] = [endOf(ref), toPromise(ref).catch(() => {})];
    ref.send(event);
    const expected = { address: 'agent/a', incarnation: 1, reason };
    expect(await end).toEqual(expected);
    await over;
    expect(await endOf(ref)).toEqual(expected);
  },
);

test('tells what stopped it: the ref, its parent machine, or the runtime', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const stopped = await runtime.spawn('counter', { id: 'stopped' });
  const shut = await runtime.spawn('counter', { id: 'shut' });
  const parent = createActor(createMachine({ invoke: { src: runtime.logic('counter') } })).start();
  const running = nextEvent<RuntimeEvents['agent']>((listener) => runtime.on('agent', listener));
  const child = runtime.get((await running).address) as AgentRef;
  const all = [endOf(stopped), endOf(child), endOf(shut)];
  await stopped.stop();
  parent.stop();
  await all[1];
  await runtime.stop();
  expect((await Promise.all(all)).map(({ reason }) => reason)).toEqual(['stopped', 'stopped', 'shutdown']);
  expect(await endOf(shut)).toMatchObject({ reason: 'shutdown' });
});

test('an instance that a thread does not give back is shut down by the end of the thread', async () => {
  const runtime = await start({ agents: { process: fixture('process') } });
  const refs = [await runtime.spawn('process'), await runtime.spawn('process')];
  const all = refs.map(endOf);
  refs[1]?.send({ type: 'spin', ms: 60_000 });
  await runtime.stop({ timeoutMs: 500 });
  expect((await Promise.all(all)).map(({ reason }) => reason)).toEqual(['shutdown', 'shutdown']);
});

test('what is not up in time ends with init-timeout: an agent, or its thread', async () => {
  const runtime = await start({
    agents: { stuck: fixture('never-loaded'), late: fixture('counter', { threadId: 'slow' }) },
    threads: { pool: { startTimeoutMs: 300 }, slow: { startTimeoutMs: 1 } },
  });
  for (const agent of ['stuck', 'late'] as const) {
    const spawning = runtime.spawn(agent, { id: 'a' });
    const end = endOf(runtime.get(`${agent}/a`) as AgentRef);
    await expect(spawning).rejects.toMatchObject({ code: 'THREAD_START_TIMEOUT' });
    expect(await end).toEqual({ address: `${agent}/a`, incarnation: 1, reason: 'init-timeout' });
  }
});

test('an agent that fails while it starts has ended with an error', async () => {
  const runtime = await start({ agents: { failing: fixture('failing-start') } });
  const spawning = runtime.spawn('failing', { id: 'a' });
  const end = endOf(runtime.get('failing/a') as AgentRef);
  await expect(spawning).rejects.toThrow('cannot begin');
  expect(await end).toMatchObject({ reason: 'error' });
});

test('a watch is of one incarnation: it tells of the first end, though a restart follows, and of no other', async () => {
  const runtime = await start({ agents: { process: fixture('process', { supervision: quick }) } });
  const ref = await runtime.spawn('process');
  const heard: IncarnationEnd[] = [];
  ref.watch((end) => heard.push(end));
  const second = told(runtime, 2, 'running');
  ref.send({ type: 'exit', code: 1 });
  await second;
  const third = told(runtime, 3, 'running');
  // The ref was held over the restart; it watches what runs now.
  const end = endOf(ref);
  ref.send({ type: 'throw.later' });
  expect(await end).toMatchObject({ incarnation: 2, reason: 'error' });
  await third;
  expect(heard).toEqual([{ address: ref.address, incarnation: 1, reason: 'exit' }]);
});

test('a machine that is done and is started again has ended all the same', async () => {
  const runtime = await start({
    agents: { counter: fixture('counter', { supervision: { ...quick, restart: 'permanent' } }) },
  });
  const ref = await runtime.spawn('counter');
  const [end, second] = [endOf(ref), told(runtime, 2, 'running')];
  ref.send({ type: 'finish' });
  expect(await end).toMatchObject({ incarnation: 1, reason: 'done' });
  await second;
});

test('during backoff a watch waits for the next incarnation', async () => {
  const runtime = await start({ agents: { process: fixture('process', { supervision: quick }) } });
  const ref = await runtime.spawn('process');
  const [between, second] = [told(runtime, 1, 'restarting'), told(runtime, 2, 'running')];
  ref.send({ type: 'exit', code: 1 });
  await between;
  const end = endOf(ref);
  await second;
  ref.send({ type: 'throw.later' });
  expect(await end).toMatchObject({ incarnation: 2, reason: 'error' });
});

test('an instance that is stopped during backoff tells it to those who wait for the next incarnation', async () => {
  const runtime = await start({ agents: { process: fixture('process', { supervision: slow }) } });
  const ref = await runtime.spawn('process');
  const first = endOf(ref);
  ref.send({ type: 'exit', code: 1 });
  expect(await first).toMatchObject({ reason: 'exit' });
  const end = endOf(ref);
  await ref.stop();
  expect(await end).toEqual({ address: ref.address, incarnation: 1, reason: 'stopped' });
  expect(await endOf(ref)).toEqual(await end);
});

test('an instance that was quarantined tells the cause of its last end at once', async () => {
  const runtime = await start({
    agents: { counter: fixture('counter', { supervision: { intensity: { restarts: 0, withinMs: 1 } } }) },
  });
  const ref = await runtime.spawn('counter');
  const over = toPromise(ref);
  ref.send({ type: 'fail' });
  await expect(over).rejects.toMatchObject({ code: 'AGENT_QUARANTINED' });
  expect(await endOf(ref)).toMatchObject({ incarnation: 1, reason: 'error' });
});

test('a listener never runs before watch has returned, and not after it unsubscribed', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const ref = await runtime.spawn('counter');
  const heard: string[] = [];
  ref.watch(() => heard.push('unsubscribed while it ran')).unsubscribe();
  await ref.stop();
  ref.watch(() => heard.push('unsubscribed at once')).unsubscribe();
  const last = nextEvent<IncarnationEnd>((listener) => {
    const subscription = ref.watch((end) => {
      heard.push('kept');
      listener(end);
    });
    heard.push('watched');
    return subscription;
  });
  await last;
  expect(heard).toEqual(['watched', 'kept']);
});

test('one listener may watch twice', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const ref = await runtime.spawn('counter');
  let heard = 0;
  const listener = (): void => void (heard += 1);
  ref.watch(listener);
  ref.watch(listener).unsubscribe();
  ref.watch(listener);
  const end = endOf(ref);
  await ref.stop();
  await end;
  expect(heard).toBe(2);
});

test('a listener that throws is logged and disturbs nobody', async () => {
  const logged: unknown[] = [];
  const log = (fields: object, message: string): void => void logged.push({ ...fields, message });
  const logger: Logger = { debug() {}, info() {}, warn: log, error: log };
  const runtime = await start(
    { agents: { process: fixture('process', { supervision: quick }) } },
    { logger },
  );
  const ref = await runtime.spawn('process', { id: 'a' });
  const error = new Error('a bad listener');
  ref.watch(() => {
    throw error;
  });
  const [end, second] = [endOf(ref), told(runtime, 2, 'running')];
  ref.send({ type: 'exit', code: 1 });
  expect(await end).toMatchObject({ reason: 'exit' });
  await second;
  expect(logged).toContainEqual({ address: 'process/a', error, message: 'a listener of watch threw' });
});

test('a watch may be opened from within a watch', async () => {
  const runtime = await start({ agents: { process: fixture('process', { supervision: quick }) } });
  const ref = await runtime.spawn('process');
  const ends: number[] = [];
  const third = nextEvent<IncarnationEnd>((listener) => {
    const again = (end: IncarnationEnd): void => {
      ends.push(end.incarnation);
      if (ends.length === 3) listener(end);
      else ref.watch(again);
    };
    return ref.watch(again);
  });
  for (let i = 0; i < 3; i++) ref.send({ type: 'exit', code: 1 });
  await third;
  expect(ends).toEqual([1, 2, 3]);
});
