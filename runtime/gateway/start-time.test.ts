import { expect, test } from 'vitest';
import { startMs } from './start-time.ts';

test('a process has time for each instance to fail by itself', () => {
  const pools = [{ startTimeoutMs: 10_000 }, { startTimeoutMs: 60_000 }];
  expect([
    startMs([], 0),
    startMs(pools, 0),
    startMs(pools, 1),
    startMs(pools, 32),
    startMs(pools, 33),
  ]).toEqual([30_000, 30_000, 90_000, 90_000, 150_000]);
});
