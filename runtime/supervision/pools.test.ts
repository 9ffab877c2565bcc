import { expect, test } from 'vitest';
import type { RuntimeEvents } from 'holdfast';
import { fixture, nextEvent, start, startTest } from '../fixtures/start.ts';

test('instances go to the thread that owns the fewest, and stay there', async () => {
  const runtime = await start({ agents: { counter: fixture('counter', { maxThreads: 3 }) } });
  const refs = [];
  for (let i = 0; i < 6; i++) refs.push(await runtime.spawn('counter'));
  const pool = runtime.status().pools[0];
  expect(pool).toMatchObject({ maxThreads: 3, peakThreads: 3, startedThreads: 3, waiting: 0 });
  expect(pool?.threads.map(({ name, instances }) => [name, instances])).toEqual([
    ['holdfast:pool:1', 2],
    ['holdfast:pool:2', 2],
    ['holdfast:pool:3', 2],
  ]);
  const before = refs.map(({ thread }) => thread);
  await Promise.all(refs.map((ref) => ref.deliver({ type: 'inc' })));
  expect(refs.map(({ thread }) => thread)).toEqual(before);
});

test('spawns at once wait for starting threads and start no more than the cap', async () => {
  const runtime = await start({ agents: { counter: fixture('counter', { maxThreads: 2 }) } });
  const refs = await Promise.all(Array.from({ length: 20 }, () => runtime.spawn('counter')));
  expect(new Set(refs.map(({ thread }) => thread)).size).toBe(2);
  expect(runtime.status().pools[0]).toMatchObject({ peakThreads: 2, startedThreads: 2 });
});

test('a thread without instances retires after its idle time, one with an instance never', async () => {
  const runtime = await startTest(
    {
      agents: { counter: fixture('counter', { maxThreads: 2 }) },
      threads: { pool: { idleTimeoutMs: 5000 } },
    },
    { threads: true },
  );
  const keeps = await runtime.spawn('counter');
  const leaves = await runtime.spawn('counter');
  const exited: unknown[] = [];
  runtime.on('thread', ({ name, state, cause }) => exited.push([name, state, cause]));
  await leaves.stop();
  await runtime.clock.advance(4999);
  expect(exited).toEqual([]);
  await runtime.clock.advance(1);
  expect(exited).toEqual([['holdfast:pool:2', 'exited', 'retired']]);
  await runtime.clock.advance(3_600_000);
  expect(await keeps.ask({ type: 'read' })).toBe(0);
  expect(runtime.status().pools[0]).toMatchObject({ endedThreads: { retired: 1 } });
});

test('minThreads are up before anybody needs them and do not retire', async () => {
  const runtime = await startTest(
    {
      agents: { counter: fixture('counter', { maxThreads: 2 }) },
      threads: { pool: { minThreads: 1, idleTimeoutMs: 1 } },
    },
    { threads: true },
  );
  await runtime.settled();
  expect(runtime.status().pools[0]).toMatchObject({ threads: [{ state: 'ready', instances: 0 }] });
  const ref = await runtime.spawn('counter');
  await ref.stop();
  await runtime.clock.advance(3_600_000);
  await runtime.spawn('counter');
  expect(runtime.status().pools[0]).toMatchObject({ startedThreads: 1, threads: [{ state: 'ready' }] });
});

test('a thread of the minimum that has ended is replaced, though nobody needs it', async () => {
  const runtime = await start({
    agents: { victim: fixture('victim', { supervision: { restart: 'temporary' } }) },
    threads: { pool: { minThreads: 1 } },
  });
  const ref = await runtime.spawn('victim');
  const again = nextEvent<RuntimeEvents['thread']>(
    (listener) => runtime.on('thread', listener),
    ({ state }) => state === 'ready',
  );
  ref.send({ type: 'exit' });
  await again;
  expect(runtime.status()).toMatchObject({
    instances: [],
    pools: [{ threads: [{ n: 1, state: 'ready' }], startedThreads: 2, endedThreads: { exit: 1 } }],
  });
});

test("a thread's environment is what its pool says, and nothing of the host's", async () => {
  process.env['HOLDFAST_TEST_CANARY'] = 'host-only';
  const runtime = await start({
    agents: {
      bare: fixture('process', { threadId: 'bare' }),
      given: fixture('process', { threadId: 'given' }),
    },
    threads: { given: { env: { MODE: 'trade' } } },
  });
  const bare = await runtime.spawn('bare');
  const given = await runtime.spawn('given');
  expect(await bare.ask({ type: 'env' })).toEqual({});
  expect(await given.ask({ type: 'env' })).toEqual({ MODE: 'trade' });
});

test('agents of different pools never share a thread, a global, a module or an environment', async () => {
  const runtime = await start({
    agents: { a: fixture('process', { threadId: 'a' }), b: fixture('process', { threadId: 'b' }) },
  });
  const a = await runtime.spawn('a');
  const b = await runtime.spawn('b');
  await a.deliver({ type: 'set', key: 'mark', value: 1 });
  expect(await a.ask({ type: 'get', key: 'mark' })).toEqual({ global: 1, env: '1', inModule: 1 });
  expect(await b.ask({ type: 'get', key: 'mark' })).toEqual({ inModule: 0 });
});
