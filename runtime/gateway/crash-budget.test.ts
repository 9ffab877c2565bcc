import { expect, test } from 'vitest';
import { CrashBudget } from './crash-budget.ts';

test('each crash waits longer, the sixth within a minute is too many, and old ones do not count', () => {
  const budget = new CrashBudget();
  expect([0, 1, 2, 3, 4].map((at) => budget.crashed(at))).toEqual([200, 400, 800, 1600, 3200]);
  expect(budget.crashed(5)).toBeUndefined();
  expect(budget.crashed(60_010)).toBe(200);
});
