import { expect, test } from 'vitest';
import { toPromise } from 'xstate';
import type { RuntimeEvents } from 'holdfast';
import { fixture, nextEvent, start, startTest } from '../fixtures/start.ts';

const quick = { backoff: { minMs: 1, maxMs: 5, factor: 2, jitter: 0 } };

const running = (runtime: Awaited<ReturnType<typeof start>>, address: string, incarnation: number) =>
  nextEvent<RuntimeEvents['agent']>(
    (listener) => runtime.on('agent', listener),
    (event) => event.address === address && event.incarnation === incarnation && event.state === 'running',
  );

test('an instance whose thread exits runs again, fresh, with the next incarnation', async () => {
  const runtime = await start({ agents: { process: fixture('process', { supervision: quick }) } });
  const ref = await runtime.spawn('process', { id: 'a' });
  await ref.deliver({ type: 'note', n: 1 });
  const again = running(runtime, 'process/a', 2);
  ref.send({ type: 'exit', code: 7 });
  await again;
  expect(ref.incarnation).toBe(2);
  expect((await ref.snapshot()) as unknown).toMatchObject({ context: { seen: [] } });
  expect(runtime.status()).toMatchObject({ restarts: 1, instances: [{ restarts: 1, state: 'running' }] });
});

test('the envelope in hand at a crash is a dead letter; those behind it reach the next incarnation', async () => {
  const runtime = await start({ agents: { process: fixture('process', { supervision: quick }) } });
  const ref = await runtime.spawn('process', { id: 'a' });
  const before = ref.deliver({ type: 'note', n: 1 });
  const fatal = ref.deliver({ type: 'exit', code: 1 });
  const behind = [2, 3].map((n) => ref.deliver({ type: 'note', n }));
  await before;
  await expect(fatal).rejects.toMatchObject({ code: 'THREAD_CRASHED' });
  await Promise.all(behind);
  expect((await ref.snapshot()) as unknown).toMatchObject({ context: { seen: [2, 3] } });
  expect(runtime.deadLetters.list()).toMatchObject([
    {
      reason: 'poison',
      event: { type: 'exit' },
      incarnation: 1,
      evidence: { cause: 'exit', thread: 'holdfast:pool:1', error: { code: 'THREAD_CRASHED' } },
    },
  ]);
});

test('an uncaught error ends the thread; nobody in particular is blamed, and its instances run again', async () => {
  const runtime = await start({ agents: { process: fixture('process', { supervision: quick }) } });
  const [a, b] = [await runtime.spawn('process', { id: 'a' }), await runtime.spawn('process', { id: 'b' })];
  expect(a.thread).toBe(b.thread);
  const again = [running(runtime, 'process/a', 2), running(runtime, 'process/b', 2)];
  a.send({ type: 'throw.later' });
  await Promise.all(again);
  expect(runtime.deadLetters.list()).toEqual([]);
  expect(runtime.status().pools[0]).toMatchObject({ endedThreads: { error: 1 }, peakThreads: 1 });
});

test('an agent that throws null ends its thread, not the host', async () => {
  const runtime = await start({
    agents: { process: fixture('process', { supervision: { restart: 'temporary' } }) },
  });
  const ref = await runtime.spawn('process');
  const end = toPromise(ref);
  ref.send({ type: 'throw.later', value: null });
  await expect(end).rejects.toMatchObject({ code: 'THREAD_CRASHED', cause: null });
});

test('an ask that was handled when the thread died, its answer not on the way yet, is rejected at once', async () => {
  const runtime = await start({ agents: { process: fixture('process', { supervision: quick }) } });
  const ref = await runtime.spawn('process');
  const ask = ref.ask({ type: 'env' }, { timeoutMs: 60_000 });
  ref.send({ type: 'exit', code: 1 });
  await expect(ask).rejects.toMatchObject({ code: 'THREAD_CRASHED' });
  expect(runtime.deadLetters.list()).toHaveLength(1);
});

test('a crash in one pool restarts nothing in another', async () => {
  const runtime = await start({
    agents: {
      a: fixture('process', { threadId: 'a', supervision: quick }),
      b: fixture('process', { threadId: 'b', supervision: quick }),
    },
  });
  const a = await runtime.spawn('a', { id: '1' });
  const b = await runtime.spawn('b', { id: '1' });
  const thread = b.thread;
  const again = running(runtime, 'a/1', 2);
  a.send({ type: 'exit', code: 1 });
  await again;
  expect(b).toMatchObject({ incarnation: 1, thread });
  expect(runtime.status().pools.map(({ startedThreads }) => startedThreads)).toEqual([2, 1]);
});

test('a temporary instance ends with the error of its thread', async () => {
  const runtime = await start({
    agents: { process: fixture('process', { supervision: { restart: 'temporary' } }) },
  });
  const ref = await runtime.spawn('process');
  const end = toPromise(ref);
  ref.send({ type: 'exit', code: 3 });
  await expect(end).rejects.toMatchObject({
    code: 'THREAD_CRASHED',
    message: expect.stringContaining('code 3') as string,
  });
  expect(runtime.status().instances).toEqual([]);
});

test('a machine that fails again and again is quarantined, with an escalation that carries the cause', async () => {
  const runtime = await startTest(
    {
      agents: {
        counter: fixture('counter', { supervision: { intensity: { restarts: 2, withinMs: 60_000 } } }),
      },
    },
    { threads: true },
  );
  const ref = await runtime.spawn('counter', { id: 'a' });
  const escalations: unknown[] = [];
  runtime.on('escalation', (escalation) => escalations.push(escalation));
  const end = toPromise(ref).catch((error: unknown) => error);
  for (let i = 0; i < 3; i++) ref.send({ type: 'fail' });
  await runtime.clock.advance(5000);
  expect(escalations).toMatchObject([
    { address: 'counter/a', error: { code: 'AGENT_QUARANTINED', cause: { code: 'E_RANGE' } } },
  ]);
  expect(await end).toMatchObject({ code: 'AGENT_QUARANTINED' });
  expect(runtime.status().restarts).toBe(2);
});

test('a crash during a restart counts like any other', async () => {
  const runtime = await start({
    agents: { process: fixture('process', { supervision: quick }) },
  });
  const ref = await runtime.spawn('process', { id: 'a' });
  const third = running(runtime, 'process/a', 3);
  ref.send({ type: 'exit', code: 1 });
  ref.send({ type: 'exit', code: 1 });
  await third;
  expect(ref.incarnation).toBe(3);
});

test('a thread that runs out of its memory limit ends alone, with that cause', async () => {
  const runtime = await start({
    agents: {
      hungry: fixture('hungry', { supervision: { restart: 'temporary' } }),
      counter: fixture('counter', { threadId: 'other' }),
    },
    threads: { pool: { resourceLimits: { maxOldGenerationSizeMb: 16 } } },
  });
  const other = await runtime.spawn('counter');
  const ref = await runtime.spawn('hungry');
  const end = toPromise(ref);
  ref.send({ type: 'eat' });
  await expect(end).rejects.toMatchObject({ code: 'THREAD_OUT_OF_MEMORY' });
  expect(await other.ask({ type: 'read' })).toBe(0);
});

test('what failed is logged: a thread once for all that were on it, an instance by itself', async () => {
  const lines: [level: string, message: string, fields: object][] = [];
  const note = (level: string) => (fields: object, message: string) =>
    void lines.push([level, message, fields]);
  const logger = { debug() {}, info() {}, warn: note('warn'), error: note('error') };
  const agents = {
    process: fixture('process', { supervision: quick }),
    counter: fixture('counter', { threadId: 'other', supervision: quick }),
  };
  const runtime = await start({ agents }, { logger });
  const reasons: unknown[] = [];
  runtime.on('agent', ({ address, state, reason }) => {
    if (state === 'restarting') reasons.push(`${address} ${reason}`);
  });
  const [a, , c] = [
    await runtime.spawn('process', { id: 'a' }),
    await runtime.spawn('process', { id: 'b' }),
    await runtime.spawn('counter', { id: 'c' }),
  ];
  let again = Promise.all([running(runtime, 'process/a', 2), running(runtime, 'process/b', 2)]);
  a.send({ type: 'throw.later' });
  await again;
  const one = running(runtime, 'counter/c', 2);
  c.send({ type: 'fail' });
  await one;
  again = Promise.all([running(runtime, 'process/a', 3), running(runtime, 'process/b', 3)]);
  a.send({ type: 'exit', code: 1 });
  await again;
  const failures = lines.filter(([level]) => level === 'error');
  expect(failures).toMatchObject([
    [
      'error',
      expect.stringContaining('a thread failed'),
      { thread: 'holdfast:pool:1', cause: 'error', instances: 2 },
    ],
    ['error', expect.stringContaining('an instance failed'), { address: 'counter/c', reason: 'error' }],
    [
      'error',
      expect.stringContaining('a thread ended by itself'),
      { thread: 'holdfast:pool:1', cause: 'exit' },
    ],
  ]);
  expect(reasons).toEqual([
    'process/a error',
    'process/b error',
    'counter/c error',
    'process/a exit',
    'process/b exit',
  ]);
});
