import { expect, onTestFinished, test } from 'vitest';
import type { ResolvedPool } from '../config/resolve.ts';
import { loadConfig } from '../config/load.ts';
import { fixture } from '../fixtures/start.ts';
import { openRuntime } from '../runtime.ts';
import type { RuntimeSystem } from './runtime-system.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

test('a pool that is rolled has more threads and other settings, and loses no event and no state', async () => {
  const config = (maxThreads: number) => ({ agents: { mover: fixture('mover', { maxThreads }) } });
  let system: Pick<RuntimeSystem, 'roll'> | undefined;
  const runtime = await openRuntime(config(1), { logger: silent }, { onSystem: (found) => (system = found) });
  onTestFinished(() => runtime.stop());
  const refs = await Promise.all(['a', 'b', 'c'].map((id) => runtime.spawn('mover', { id })));
  const before = new Set(refs.map(({ thread }) => thread));
  const over = new AbortController();
  const { pools } = await loadConfig(config(3));
  const pool: ResolvedPool = { ...(pools[0] as ResolvedPool), minThreads: 3, heapBudgetMb: 512 };
  const rolled = system?.roll(pool).finally(() => over.abort());
  let n = 0;
  while (!over.signal.aborted) {
    await Promise.all(refs.map((ref) => ref.deliver({ type: 'add', n: 1 })));
    n += 1;
  }
  expect(await rolled).toMatchObject({ moved: 3, restarted: [] });
  for (const ref of refs) expect(await ref.ask({ type: 'sum' })).toMatchObject({ sum: n });
  expect(refs.every(({ thread }) => !before.has(thread))).toBe(true);
  expect(refs.map(({ incarnation }) => incarnation)).toEqual([1, 1, 1]);
  const [status] = runtime.status().pools;
  expect(status).toMatchObject({ maxThreads: 3, health: 'open' });
  await expect.poll(() => runtime.status().pools[0]?.threads.length).toBe(3);
  expect(status?.peakThreads).toBeLessThanOrEqual(3);
  expect(runtime.deadLetters.list()).toEqual([]);
});
