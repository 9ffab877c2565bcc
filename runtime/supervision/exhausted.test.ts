import { describe, expect, test } from 'vitest';
import type { Escalation } from 'holdfast';
import { fixture, nextEvent, start, startTest } from '../fixtures/start.ts';

describe('a pool whose threads do not start', () => {
  const intensity = { restarts: 2, withinMs: 60_000 };

  test('refuses with POOL_EXHAUSTED after one failed start too many, escalates once, and leaves other pools alone', async () => {
    const runtime = await start({
      agents: { late: fixture('counter', { threadId: 'slow' }), counter: fixture('counter') },
      // Nobody is up within a millisecond.
      threads: { slow: { startTimeoutMs: 1, intensity } },
    });
    const other = await runtime.spawn('counter');
    const escalations: Escalation[] = [];
    runtime.on('escalation', (escalation) => escalations.push(escalation));
    const failures: unknown[] = [];
    for (let i = 0; i < 5; i++) failures.push(await runtime.spawn('late').catch((error: unknown) => error));
    const codes = failures.map((error) => (error as { code: string }).code);
    expect(codes).toEqual([
      ...Array.from({ length: 3 }, () => 'THREAD_START_TIMEOUT'),
      'POOL_EXHAUSTED',
      'POOL_EXHAUSTED',
    ]);
    expect(failures[4]).toMatchObject({
      message: expect.stringMatching(/"slow" starts no more threads.*2 failed starts.*60000 ms/) as string,
    });
    expect(escalations).toMatchObject([
      { kind: 'pool', threadId: 'slow', error: { code: 'POOL_EXHAUSTED' }, evidence: intensity },
    ]);
    expect(escalations[0]?.evidence).toHaveProperty(
      'strikes',
      Array.from({ length: 3 }, () => ({ kind: 'failed-start', n: 1, cause: 'init-timeout' })),
    );
    expect(await other.ask({ type: 'read' })).toBe(0);
    expect(runtime.status().pools.find(({ threadId }) => threadId === 'slow')).toMatchObject({
      startedThreads: 3,
      health: 'exhausted',
    });
  });

  test('counts quarantined instances, and goes on with the threads that it has', async () => {
    const runtime = await startTest({
      agents: {
        counter: fixture('counter', { supervision: { intensity: { restarts: 0, withinMs: 1000 } } }),
        other: fixture('counter', { maxThreads: 1 }),
      },
      threads: { pool: { intensity: { restarts: 1, withinMs: 60_000 } } },
    });
    const escalations: unknown[] = [];
    runtime.on('escalation', ({ kind, address }) => escalations.push([kind, address]));
    await runtime.spawn('other');
    for (const id of ['a', 'b']) {
      const ref = await runtime.spawn('counter', { id });
      ref.send({ type: 'fail' });
      await runtime.settled();
    }
    expect(escalations).toEqual([
      ['instance', 'counter/a'],
      ['instance', 'counter/b'],
      ['pool', undefined],
    ]);
    const again = await runtime.spawn('other');
    expect(await again.ask({ type: 'read' })).toBe(0);
  });

  test('tries again after a quiet window', async () => {
    const runtime = await startTest({
      agents: {
        counter: fixture('counter', { supervision: { intensity: { restarts: 0, withinMs: 1000 } } }),
      },
      threads: { pool: { idleTimeoutMs: 1000, intensity: { restarts: 0, withinMs: 60_000 } } },
    });
    const ref = await runtime.spawn('counter', { id: 'a' });
    ref.send({ type: 'fail' });
    await runtime.clock.advance(1000);
    await expect(ref.resume()).rejects.toMatchObject({
      code: 'AGENT_QUARANTINED',
      cause: { code: 'POOL_EXHAUSTED' },
    });
    await expect(runtime.spawn('counter')).rejects.toMatchObject({ code: 'POOL_EXHAUSTED' });
    await runtime.clock.advance(59_000);
    await ref.resume();
    expect(await ref.ask({ type: 'read' })).toBe(0);
    expect(runtime.status().pools[0]).toMatchObject({ health: 'open' });
  });
});

describe('an instance that wants a thread for itself', () => {
  test('waits for one, and is refused with POOL_EXHAUSTED after startTimeoutMs', async () => {
    const runtime = await startTest({
      agents: { own: fixture('counter', { placement: 'exclusive' }), shared: fixture('counter') },
      threads: { pool: { startTimeoutMs: 5000 } },
    });
    const first = await runtime.spawn('own');
    const late = runtime.spawn('own').catch((error: unknown) => error);
    await runtime.clock.advance(5000);
    expect(await late).toMatchObject({
      code: 'POOL_EXHAUSTED',
      message: expect.stringContaining('5000 ms') as string,
    });
    const waiting = runtime.spawn('shared');
    await runtime.settled();
    expect(runtime.status().pools[0]).toMatchObject({ waiting: 1, threads: [{ instances: 1 }] });
    await first.stop();
    expect(await (await waiting).ask({ type: 'read' })).toBe(0);
  });

  test('has it, on real threads: four instances are on four threads', async () => {
    const runtime = await start({
      agents: { own: fixture('counter', { placement: 'exclusive', maxThreads: 4 }) },
    });
    const refs = await Promise.all([1, 2, 3, 4].map(() => runtime.spawn('own')));
    expect(new Set(refs.map(({ thread }) => thread)).size).toBe(4);
  });
});

test('an instance that is placed by its id comes back to the thread of the same number', async () => {
  const supervision = { backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 } };
  const runtime = await startTest({
    agents: { counter: fixture('counter', { placement: { key: true }, maxThreads: 8, supervision }) },
  });
  const numbers = new Map<string, number>();
  const numberOf = (ref: { thread: number }): number =>
    runtime.status().pools[0]?.threads.find(({ thread }) => thread === ref.thread)?.n as number;
  for (let i = 0; i < 12; i++)
    numbers.set(`key-${i}`, numberOf(await runtime.spawn('counter', { id: `key-${i}` })));
  expect(new Set(numbers.values()).size).toBeGreaterThan(3);
  for (const [id, n] of numbers) {
    const ref = await runtime.getOrSpawn('counter', id);
    ref.send({ type: 'fail' });
    await runtime.clock.advance(10);
    expect([ref.incarnation, numberOf(ref)]).toEqual([2, n]);
    await ref.stop();
    expect(numberOf(await runtime.spawn('counter', { id }))).toBe(n);
  }
});

test('an instance that is stopped while it waits for a thread is not placed, and its address is free', async () => {
  const runtime = await startTest({ agents: { own: fixture('counter', { placement: 'exclusive' }) } });
  const first = await runtime.spawn('own', { id: 'a' });
  const waiting = runtime.spawn('own', { id: 'b' }).catch((error: unknown) => error);
  await runtime.get('own/b')?.stop();
  expect(await waiting).toMatchObject({ code: 'AGENT_STOPPED' });
  const again = runtime.spawn('own', { id: 'b' });
  const started = nextEvent((listener) => runtime.on('agent', listener));
  await first.stop();
  await started;
  expect((await again).incarnation).toBe(1);
});
