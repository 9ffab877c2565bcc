import { describe, expect, test } from 'vitest';
import type { AgentRef, Runtime, RuntimeEvents } from 'holdfast';
import { fixture, nextEvent, start, startTest } from '../fixtures/start.ts';

const quick = { backoff: { minMs: 1, maxMs: 5, factor: 2, jitter: 0 } };

async function movers(maxThreads = 1) {
  const runtime = await start({
    agents: {
      mover: fixture('mover', { maxThreads, supervision: quick }),
      other: fixture('mover', { threadId: 'other', supervision: quick }),
    },
  });
  const spawn = (id: string): Promise<AgentRef> => runtime.spawn('mover', { id });
  return { runtime, spawn };
}

/** Numbers 1 to `n`, one event each, without a wait. */
function add(ref: AgentRef, n: number): void {
  for (let i = 1; i <= n; i++) ref.send({ type: 'add', n: i });
}

const sumTo = (n: number): number => (n * (n + 1)) / 2;

const moving = (runtime: Runtime, address: string): Promise<unknown> =>
  nextEvent<RuntimeEvents['agent']>(
    (listener) => runtime.on('agent', listener),
    (event) => event.address === address && event.state === 'moving',
  );

describe('the replacement of a pool’s threads', () => {
  test('loses no event and no state of instances under load, and keeps their incarnations', async () => {
    const { runtime, spawn } = await movers(2);
    const refs = await Promise.all(['a', 'b', 'c', 'd'].map(spawn));
    const before = new Set(refs.map(({ thread }) => thread));
    const ends: unknown[] = [];
    for (const ref of refs) ref.watch((end) => ends.push(end));
    const sent: Promise<void>[] = [];
    const over = new AbortController();
    const recycled = runtime.recycle('pool').finally(() => over.abort());
    let n = 0;
    while (!over.signal.aborted) {
      for (const ref of refs) sent.push(ref.deliver({ type: 'add', n: 1 }));
      n += 1;
      await new Promise((resolve) => setImmediate(resolve));
      if (n % 50 === 0) await Promise.all(sent.splice(0));
    }
    expect(await recycled).toEqual({ threads: 2, moved: 4, restarted: [] });
    await Promise.all(sent);
    for (const ref of refs) expect(await ref.ask({ type: 'sum' })).toMatchObject({ sum: n });
    expect(refs.every(({ thread }) => !before.has(thread))).toBe(true);
    expect(refs.map(({ incarnation }) => incarnation)).toEqual([1, 1, 1, 1]);
    expect([ends, runtime.deadLetters.list()]).toEqual([[], []]);
    expect(runtime.status().pools[0]).toMatchObject({ peakThreads: 2, endedThreads: { recycled: 2 } });
    expect(runtime.status().restarts).toBe(0);
  });

  test('with one thread allowed has it exit before the next one starts, and the mailbox holds meanwhile', async () => {
    const { runtime, spawn } = await movers(1);
    const ref = await spawn('a');
    add(ref, 100);
    const moved = moving(runtime, 'mover/a');
    const recycled = runtime.recycle('pool');
    await moved;
    add(ref, 500);
    expect(await recycled).toMatchObject({ threads: 1, moved: 1 });
    expect(await ref.ask({ type: 'sum' })).toMatchObject({ sum: sumTo(100) + sumTo(500) });
    expect(runtime.status().pools[0]).toMatchObject({ peakThreads: 1, startedThreads: 2 });
  });

  test('waits for an invoked promise instead of repeating it', async () => {
    const { runtime, spawn } = await movers();
    const ref = await spawn('a');
    await ref.deliver({ type: 'work', ms: 200 });
    add(ref, 10);
    expect(await runtime.recycle('pool')).toMatchObject({ moved: 1, restarted: [] });
    expect(await ref.ask({ type: 'sum' })).toEqual({ sum: 55, works: 1, fired: 0 });
  });

  test('does not wait for an ask that is put off, whose answer comes with another event', async () => {
    const { runtime, spawn } = await movers();
    const ref = await spawn('a');
    const asked = ref.ask({ type: 'put off' });
    await ref.deliver({ type: 'add', n: 1 });
    const recycled = runtime.recycle('pool');
    ref.send({ type: 'answer' });
    expect(await asked).toBe('at last');
    expect(await recycled).toMatchObject({ moved: 1 });
  });

  test('takes a timer along, which fires once', async () => {
    const { runtime, spawn } = await movers();
    const ref = await spawn('a');
    await ref.deliver({ type: 'arm', ms: 400 });
    expect(await runtime.recycle('pool')).toMatchObject({ moved: 1 });
    await expect.poll(() => ref.ask({ type: 'sum' }), { timeout: 60_000 }).toMatchObject({ fired: 1 });
    await ref.deliver({ type: 'arm', ms: 1 });
    await expect.poll(() => ref.ask({ type: 'sum' }), { timeout: 60_000 }).toMatchObject({ fired: 2 });
  });

  test('ends at its time those that cannot go, which begin anew by their policy; the mailbox is for them', async () => {
    const { runtime, spawn } = await movers();
    const ref = await spawn('a');
    const reason = new Promise((resolve) => {
      ref.watch((end) => resolve(end.reason));
    });
    await ref.deliver({ type: 'work', ms: 60_000 });
    const recycled = runtime.recycle('pool', { timeoutMs: 100 });
    add(ref, 10);
    expect(await recycled).toEqual({ threads: 1, moved: 0, restarted: ['mover/a'] });
    expect(await reason).toBe('stopped');
    expect(await ref.ask({ type: 'sum' })).toMatchObject({ works: 0 });
    expect(runtime.deadLetters.list()).toEqual([]);
    expect(runtime.status().instances[0]).toMatchObject({ handled: 12, incarnation: 2 });
  });

  test('lets those go on working that could go, while others cannot yet', async () => {
    const { runtime, spawn } = await movers();
    const [a, b] = [await spawn('a'), await spawn('b')];
    const incarnations = new Promise((resolve) => {
      a.watch(() => resolve([a.incarnation, b.incarnation]));
    });
    await a.deliver({ type: 'work', ms: 60_000 });
    const recycled = runtime.recycle('pool', { timeoutMs: 2000 });
    const { thread } = b;
    for (let i = 0; i < 5; i++) await b.deliver({ type: 'add', n: 1 });
    expect([b.thread, thread > 0]).toEqual([thread, true]);
    expect(await recycled).toEqual({ threads: 1, moved: 1, restarted: ['mover/a'] });
    await incarnations;
    expect([a.incarnation, b.incarnation]).toEqual([2, 1]);
    expect(await b.ask({ type: 'sum' })).toMatchObject({ sum: 5 });
  });

  test('does not hold an event back for long that the work itself may wait for', async () => {
    const { runtime, spawn } = await movers();
    const ref = await spawn('a');
    await ref.deliver({ type: 'work', ms: 60_000 });
    const recycled = runtime.recycle('pool');
    await ref.deliver({ type: 'let go' });
    expect(await recycled).toEqual({ threads: 1, moved: 1, restarted: [] });
    expect(ref.incarnation).toBe(1);
  });

  test('is no failure of those that could not go in time', async () => {
    const never = { intensity: { restarts: 0, withinMs: 60_000 } };
    const runtime = await start({ agents: { mover: fixture('mover', { supervision: never }) } });
    const ref = await runtime.spawn('mover', { id: 'a' });
    for (let incarnation = 2; incarnation <= 3; incarnation++) {
      await ref.deliver({ type: 'work', ms: 60_000 });
      expect(await runtime.recycle('pool', { timeoutMs: 50 })).toMatchObject({ restarted: ['mover/a'] });
      expect(ref.incarnation).toBe(incarnation);
    }
  });

  test('says of whom the state cannot be cloned, and begins it anew at its time', async () => {
    const { runtime, spawn } = await movers();
    const ref = await spawn('a');
    await ref.deliver({ type: 'keep', what: 'function' });
    const warning = nextEvent<RuntimeEvents['warning']>((listener) => runtime.on('warning', listener));
    expect(await runtime.recycle('pool', { timeoutMs: 200 })).toMatchObject({ restarted: ['mover/a'] });
    expect(await warning).toMatchObject({ address: 'mover/a', error: { code: 'REPLY_UNCLONABLE' } });
  });

  test('does not keep those waiting that have gone, for one whose state cannot be saved', async () => {
    const { runtime, spawn } = await movers();
    const [a, b] = [await spawn('a'), await spawn('b')];
    await b.deliver({ type: 'keep', what: 'function' });
    expect(await runtime.recycle('pool', { timeoutMs: 60_000 })).toEqual({
      threads: 1,
      moved: 1,
      restarted: ['mover/b'],
    });
    expect([a.incarnation, b.incarnation]).toEqual([1, 2]);
  });

  test('that was only tried goes on with those who have gone, where they were', async () => {
    const { runtime, spawn } = await movers();
    const [a, b] = [await spawn('a'), await spawn('b')];
    await b.deliver({ type: 'keep', what: 'function' });
    const moved = moving(runtime, 'mover/a');
    runtime.supervisor.send({
      type: 'thread.recycle',
      threadId: 'pool',
      n: 1,
      timeoutMs: 60_000,
      force: false,
    });
    await moved;
    expect(await a.ask({ type: 'sum' })).toMatchObject({ sum: 0 });
    expect([a.incarnation, b.incarnation]).toEqual([1, 1]);
    expect(runtime.status().pools[0]).toMatchObject({ startedThreads: 1, threads: [{ state: 'ready' }] });
  });

  test('that is only tried holds nobody up', async () => {
    const { runtime, spawn } = await movers();
    const ref = await spawn('a');
    await ref.deliver({ type: 'work', ms: 60_000 });
    runtime.supervisor.send({
      type: 'thread.recycle',
      threadId: 'pool',
      n: 1,
      timeoutMs: 10_000,
      force: false,
    });
    await expect.poll(() => runtime.status().pools[0]?.threads[0]?.state).toBe('recycling');
    for (let i = 0; i < 50; i++) await ref.deliver({ type: 'add', n: 1 }, { timeoutMs: 1000 });
    expect(await ref.ask({ type: 'sum' }, { timeoutMs: 1000 })).toMatchObject({ sum: 50 });
    expect(runtime.status().pools[0]?.threads[0]?.state).toBe('recycling');
  });

  test('goes through though it was only tried before', async () => {
    const { runtime, spawn } = await movers();
    const ref = await spawn('a');
    await ref.deliver({ type: 'work', ms: 60_000 });
    runtime.supervisor.send({ type: 'thread.recycle', threadId: 'pool', n: 1, timeoutMs: 200, force: false });
    expect(await runtime.recycle('pool', { timeoutMs: 100 })).toMatchObject({ restarted: ['mover/a'] });
  });

  test('waits for an ask whose event the agent sends on to itself', async () => {
    const runtime = await start({ agents: { relaying: fixture('selfish', { export: 'relaying' }) } });
    const ref = await runtime.spawn('relaying', { id: 'a' });
    const asked = ref.ask({ type: 'ask', times: 50_000 }, { timeoutMs: 30_000 });
    await expect.poll(() => runtime.status().instances[0]?.handled).toBe(1);
    expect(await runtime.recycle('pool')).toMatchObject({ moved: 1 });
    expect(await asked).toBe(50_000);
  });

  test('has nothing to say of one that has just ended, and tells who waits why its answer does not come', async () => {
    const { runtime, spawn } = await movers();
    const [a, b] = [await spawn('a'), await spawn('b')];
    const warnings: string[] = [];
    runtime.on('warning', ({ message }) => warnings.push(message));
    const asked = a.ask({ type: 'put off' }).catch((error: unknown) => error);
    await a.deliver({ type: 'work', ms: 60_000 });
    const stopped = b.stop();
    await runtime.recycle('pool', { timeoutMs: 50 });
    await stopped;
    expect(warnings).toEqual([]);
    expect(await asked).toMatchObject({
      code: 'THREAD_CRASHED',
      message: expect.stringMatching(/was replaced/) as string,
    });
  });

  test('names those too that were ended with their thread and are not restarted, as temporary ones', async () => {
    const given = {
      temporary: { restart: 'temporary' },
      strict: { intensity: { restarts: 0, withinMs: 1000 } },
    } as const;
    const runtime = await start({
      agents: {
        temporary: fixture('mover', { supervision: given.temporary }),
        strict: fixture('mover', { supervision: given.strict }),
      },
    });
    const refs = [await runtime.spawn('temporary', { id: 'a' }), await runtime.spawn('strict', { id: 'b' })];
    for (const ref of refs) await ref.deliver({ type: 'work', ms: 60_000 });
    expect(await runtime.recycle('pool', { timeoutMs: 50 })).toEqual({
      threads: 1,
      moved: 0,
      restarted: ['temporary/a', 'strict/b'],
    });
    expect(runtime.status().instances).toMatchObject([{ address: 'strict/b', state: 'running' }]);
  });

  test('spares a thread that is just starting', async () => {
    const { runtime, spawn } = await movers();
    const spawning = spawn('a');
    expect(await runtime.recycle('pool')).toEqual({ threads: 0, moved: 0, restarted: [] });
    expect((await spawning).incarnation).toBe(1);
  });

  test('loses nothing that agents send each other', async () => {
    const { runtime, spawn } = await movers(2);
    const [a, b] = [await spawn('a'), await spawn('b')];
    const c = (await runtime.spawn('other', { id: 'c' })) as unknown as AgentRef;
    let n = 0;
    const over = new AbortController();
    const recycled = runtime.recycle().finally(() => over.abort());
    while (!over.signal.aborted) {
      n += 1;
      await Promise.all([
        a.deliver({ type: 'pass on', to: 'mover/b', n: 1 }),
        c.deliver({ type: 'pass on', to: 'mover/b', n: 1 }),
        b.deliver({ type: 'pass on', to: 'other/c', n: 1 }),
      ]);
    }
    expect(await recycled).toEqual({ threads: 3, moved: 3, restarted: [] });
    await expect.poll(() => b.ask({ type: 'sum' }), { timeout: 60_000 }).toMatchObject({ sum: 2 * n });
    await expect.poll(() => c.ask({ type: 'sum' }), { timeout: 60_000 }).toMatchObject({ sum: n });
    expect(runtime.deadLetters.list()).toEqual([]);
  });

  test('spares threads without instances, refuses an unknown pool, and is refused when the runtime stops', async () => {
    const { runtime, spawn } = await movers();
    expect(await runtime.recycle('pool')).toEqual({ threads: 0, moved: 0, restarted: [] });
    await expect(runtime.recycle('nobody')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    const ref = await spawn('a');
    await ref.deliver({ type: 'work', ms: 60_000 });
    const recycled = runtime.recycle('pool', { timeoutMs: 60_000 });
    await runtime.stop({ timeoutMs: 1000 });
    await Promise.allSettled([recycled]);
    expect(runtime.status().pools[0]?.threads).toEqual([]);
    await expect(runtime.recycle()).rejects.toMatchObject({ code: 'RUNTIME_STOPPED' });
  });

  test('an instance that is stopped while it waits to go is stopped', async () => {
    const { runtime, spawn } = await movers();
    const ref = await spawn('a');
    await ref.deliver({ type: 'work', ms: 60_000 });
    const recycled = runtime.recycle('pool', { timeoutMs: 60_000 });
    await ref.stop();
    expect(await recycled).toEqual({ threads: 1, moved: 0, restarted: [] });
    expect(runtime.status().instances).toEqual([]);
  });

  test('can be tried in the test kit', async () => {
    const runtime = await startTest({ agents: { mover: fixture('mover') } });
    const ref = await runtime.spawn('mover', { id: 'a' });
    ref.send({ type: 'add', n: 3 });
    const recycled = runtime.recycle('pool');
    await runtime.clock.advance(100);
    expect(await recycled).toEqual({ threads: 1, moved: 1, restarted: [] });
    expect(await ref.ask({ type: 'sum' })).toMatchObject({ sum: 3 });
  });
});
