import { expect, test, vi } from 'vitest';
import { createTally } from './tally.ts';

test('it counts by name', () => {
  const tally = createTally();
  tally.add('a');
  tally.add('a');
  tally.add('b');
  expect([tally.countOf('a'), tally.countOf('b'), tally.countOf('c')]).toEqual([2, 1, 0]);
});

test('a count that is there already is not waited for', async () => {
  const tally = createTally();
  tally.add('a');
  await expect(tally.until('a', 1, 0)).resolves.toBeUndefined();
  await expect(tally.until('never', 0, 0)).resolves.toBeUndefined();
});

test('a count that is told is reached at once, and never falls', async () => {
  const tally = createTally();
  const waiting = tally.until('a', 3, 5000);
  tally.reach('a', 4);
  await waiting;
  tally.reach('a', 2);
  expect(tally.countOf('a')).toBe(4);
});

test('a waiter is released by its own name and count only', async () => {
  const tally = createTally();
  let released = false;
  const waiting = tally.until('a', 2, 5000).then(() => (released = true));
  tally.add('b');
  tally.add('b');
  tally.add('a');
  await Promise.resolve();
  expect(released).toBe(false);
  tally.add('a');
  await waiting;
  expect(released).toBe(true);
});

test('a wait ends at its deadline and says how far it came', async () => {
  vi.useFakeTimers();
  try {
    const tally = createTally();
    tally.add('MSFT');
    const failure = tally.until('MSFT', 3, 1000).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(1000);
    expect(String(await failure)).toContain('MSFT: 1 of 3 came within 1000 ms');
  } finally {
    vi.useRealTimers();
  }
});
