import { expect, test } from 'vitest';
import { systemClock } from './clock.ts';

/** The calendar may be corrected while the process runs, but not by that much. */
const HOUR_MS = 60 * 60_000;

test('the time that never goes back and the date count from one epoch', () => {
  expect(Math.abs(systemClock.date() - systemClock.now())).toBeLessThan(HOUR_MS);
});

test('the time never goes back', () => {
  const times = Array.from({ length: 1000 }, () => systemClock.now());
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});
