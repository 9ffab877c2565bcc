import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { toPromise } from 'xstate';
import { createRuntime } from 'holdfast';
import { fixture, start } from '../fixtures/start.ts';

test('stop lets instances handle what they were sent, ends the threads, and can be called again', async () => {
  const runtime = await start({ agents: { counter: fixture('counter', { maxThreads: 2 }) } });
  const refs = [await runtime.spawn('counter'), await runtime.spawn('counter')];
  const handled = refs.flatMap((ref) => Array.from({ length: 100 }, () => ref.deliver({ type: 'inc' })));
  await Promise.all([runtime.stop(), runtime.stop(), ...handled]);
  expect(runtime.status()).toMatchObject({
    state: 'stopped',
    instances: [],
    deadLetters: 0,
    pools: [{ threads: [], endedThreads: { shutdown: 2 } }],
  });
  await expect(runtime.spawn('counter')).rejects.toMatchObject({ code: 'RUNTIME_STOPPED' });
  await runtime.stop();
});

test('a spawn that races the stop is refused and leaves no thread', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const spawning = runtime.spawn('counter');
  const stopping = runtime.stop();
  const outcome = await Promise.allSettled([spawning, stopping]);
  expect(outcome).toMatchObject([
    { status: 'rejected', reason: { code: 'RUNTIME_STOPPED' } },
    { status: 'fulfilled' },
  ]);
  expect(runtime.status().pools[0]?.threads).toEqual([]);
  expect(runtime.status().instances).toEqual([]);
});

test('a spawn that starts while another instance does not give its thread back is refused like every other', async () => {
  const runtime = await start({
    agents: { process: fixture('process'), stuck: fixture('never-loaded', { threadId: 'other' }) },
  });
  const ref = await runtime.spawn('process');
  const outcome = Promise.allSettled([runtime.spawn('stuck')]);
  await runtime.spawn('process');
  ref.send({ type: 'spin', ms: 60_000 });
  await runtime.stop({ timeoutMs: 500 });
  expect(await outcome).toMatchObject([{ status: 'rejected', reason: { code: 'RUNTIME_STOPPED' } }]);
});

test('stop is bounded though an agent never gives its thread back', async () => {
  const runtime = await start({ agents: { process: fixture('process') } });
  const ref = await runtime.spawn('process');
  const end = toPromise(ref);
  const inHand = ref.ask({ type: 'spin', ms: 3_600_000 }).catch((error: unknown) => error);
  await runtime.stop({ timeoutMs: 500 });
  expect(await end).toBeUndefined();
  expect(await inHand).toMatchObject({ code: 'RUNTIME_STOPPED' });
  expect(runtime.status()).toMatchObject({ instances: [], pools: [{ threads: [] }] });
});

test("the owner's config runs byte for byte, from its file, with three agents in their pools", async () => {
  const file = new URL('../config/fixtures/seed-openclaw.json', import.meta.url);
  const bytes = readFileSync(file);
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(
    '9d3d848317be32cbdf1ca3b4533cc45ab52bf04aafe6674af06a7e96854a7d40',
  );
  const runtime = await createRuntime(fileURLToPath(file));
  try {
    const names = ['security-agent', 'finance-agent', 'trading-agent'];
    const refs = await Promise.all(names.map((name) => runtime.spawn(name)));
    expect(refs.map(({ threadId }) => threadId)).toEqual([
      'security-threads',
      'finance-threads',
      'trading-pool',
    ]);
    expect(new Set(refs.map(({ thread }) => thread)).size).toBe(3);
    expect(runtime.status().pools.map(({ maxThreads }) => maxThreads)).toEqual([4, 2, 8]);
    expect(runtime.status().secrets).toEqual([]);
  } finally {
    await runtime.stop();
  }
});

test('an instance that is stopped while its module is loaded does not start any more', async () => {
  const runtime = await start({ agents: { slow: fixture('slow-import') } });
  const outcome = Promise.allSettled([runtime.spawn('slow', { id: 'a' })]);
  await expect
    .poll(() => runtime.status().pools[0]?.threads[0]?.instances, { interval: 5, timeout: 60_000 })
    .toBe(1);
  await runtime.get('slow/a')?.stop();
  const again = await runtime.spawn('slow', { id: 'a' });
  expect(await again.ask({ type: 'started' })).toBe(1);
  expect(await outcome).toMatchObject([{ status: 'rejected', reason: { code: 'AGENT_STOPPED' } }]);
  await expect.poll(() => runtime.status().pools[0]?.threads[0]?.instances).toBe(1);
});
