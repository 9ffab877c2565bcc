import { describe, expect, test } from 'vitest';
import type { RuntimeEvents } from 'holdfast';
import { fixture, nextEvent, start, startTest } from '../fixtures/start.ts';
import { talking, upTo } from '../fixtures/talking.ts';

const quick = { backoff: { minMs: 1, maxMs: 5, factor: 2, jitter: 0 } };

describe('a runtime that drains', () => {
  test('handles what it was sent before, and takes nothing more', async () => {
    const runtime = await start({ agents: { counter: fixture('counter') } });
    const ref = await runtime.spawn('counter', { id: 'a' });
    const before = Array.from({ length: 500 }, () => ref.deliver({ type: 'inc' }));
    const drained = runtime.drain();
    const late = ref.ask({ type: 'read' });
    ref.send({ type: 'inc' });
    await expect(late).rejects.toMatchObject({ code: 'RUNTIME_STOPPED' });
    await expect(runtime.spawn('counter')).rejects.toMatchObject({ code: 'RUNTIME_STOPPED' });
    await drained;
    await Promise.all(before);
    expect(runtime.status()).toMatchObject({
      state: 'draining',
      instances: [{ handled: 500, mailbox: 0 }],
      deadLetters: 2,
    });
    expect(runtime.deadLetters.list()).toMatchObject([{ reason: 'stopped' }, { reason: 'stopped' }]);
    await runtime.stop();
    expect(runtime.status().state).toBe('stopped');
  });

  test('handles what agents have sent each other', async () => {
    const { runtime, talker, recorder, letters } = await talking();
    const [a, b] = [await talker(), await recorder()];
    b.ref.send({ type: 'busy', ms: 100 });
    a.send({ type: 'flood', to: 'recorder/b', last: 800 });
    await runtime.drain();
    expect(b.handled()).toEqual(upTo(800));
    expect(letters).toEqual([]);
  });

  test('gives up at its time, and says so', async () => {
    const runtime = await start({ agents: { process: fixture('process') } });
    const ref = await runtime.spawn('process');
    const warning = nextEvent<RuntimeEvents['warning']>(
      (listener) => runtime.on('warning', listener),
      ({ message }) => message.startsWith('drain gave up'),
    );
    ref.send({ type: 'spin', ms: 2000 });
    ref.send({ type: 'note', n: 1 });
    await runtime.drain({ timeoutMs: 100 });
    expect(await warning).toMatchObject({ waiting: 2 });
  });

  test('discards what still waits, where the config says so', async () => {
    const runtime = await start({
      agents: {
        counter: fixture('counter', { mailbox: { drain: 'discard' } }),
        other: fixture('counter'),
      },
    });
    const [a, b] = [await runtime.spawn('counter'), await runtime.spawn('other')];
    for (const ref of [a, b]) for (let i = 0; i < 10; i++) ref.send({ type: 'inc' });
    await runtime.drain();
    expect(runtime.status().instances.map(({ handled }) => handled)).toEqual([0, 10]);
    expect(runtime.deadLetters.list().map(({ address, reason }) => `${address} ${reason}`)).toEqual(
      Array.from({ length: 10 }, () => 'counter/1 stopped'),
    );
  });
});

describe('a runtime that stops', () => {
  test('takes nothing more from the call on, and ends instances in the reverse order of their start', async () => {
    const runtime = await start({ agents: { counter: fixture('counter', { maxThreads: 2 }) } });
    const ids = ['a', 'b', 'c'];
    const refs = [];
    for (const id of ids) refs.push(await runtime.spawn('counter', { id }));
    const ended: string[] = [];
    runtime.on('agent', ({ address, state }) => {
      if (state === 'ended') ended.push(address);
    });
    const before = refs.map((ref) => ref.deliver({ type: 'inc' }));
    const stopping = runtime.stop();
    for (const ref of refs) ref.send({ type: 'inc' });
    await Promise.all([stopping, ...before]);
    expect(ended).toEqual(['counter/c', 'counter/b', 'counter/a']);
    expect(runtime.deadLetters.list()).toHaveLength(3);
  });

  test('Restart racing shutdown never leaves a live thread; shutdown is idempotent and bounded', async () => {
    for (const wait of [0, 1, 2, 3, 5, 8]) {
      const runtime = await start({
        agents: { process: fixture('process', { maxThreads: 3, supervision: quick }) },
      });
      const refs = await Promise.all([1, 2, 3].map(() => runtime.spawn('process')));
      for (const ref of refs) ref.send({ type: 'exit', code: 1 });
      for (let i = 0; i < wait; i++) await new Promise((resolve) => setImmediate(resolve));
      const stops = [runtime.stop(), runtime.stop({ timeoutMs: 1 })];
      await Promise.all(stops);
      await runtime.stop();
      const [pool] = runtime.status().pools;
      const ends = Object.values(pool?.endedThreads ?? {}).reduce((sum, n) => sum + n, 0);
      expect([pool?.threads, ends]).toEqual([[], pool?.startedThreads]);
      expect(runtime.status()).toMatchObject({ state: 'stopped', instances: [] });
    }
  });

  test('can be tried in the test kit', async () => {
    const runtime = await startTest({ agents: { counter: fixture('counter') } });
    const ref = await runtime.spawn('counter');
    for (let i = 0; i < 100; i++) ref.send({ type: 'inc' });
    const drained = runtime.drain();
    await runtime.clock.advance(10);
    await drained;
    expect(runtime.status().instances[0]?.handled).toBe(100);
  });
});

test('an instance that is quarantined while the runtime drains is not waited for', async () => {
  const runtime = await start({
    agents: { counter: fixture('counter', { supervision: { intensity: { restarts: 0, withinMs: 1000 } } }) },
  });
  const warnings: unknown[] = [];
  runtime.on('warning', (warning) => warnings.push(warning));
  const ref = await runtime.spawn('counter');
  ref.send({ type: 'fail' });
  ref.send({ type: 'inc' });
  await runtime.drain({ timeoutMs: 20_000 });
  expect(runtime.status().instances).toMatchObject([{ state: 'quarantined', mailbox: 1 }]);
  expect(warnings).toEqual([]);
});
