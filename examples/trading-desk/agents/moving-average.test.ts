import fc from 'fast-check';
import { expect, test } from 'vitest';
import { movingAverage, withPrice } from './moving-average.ts';

test('the average of nothing is 0', () => {
  expect(movingAverage([], 3)).toBe(0);
});

test('only the newest prices count', () => {
  expect(movingAverage([100, 1, 2, 3], 3)).toBe(2);
  expect(movingAverage([1, 3], 5)).toBe(2);
});

test('the kept prices are the newest ones and the given ones stay untouched', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer(), { minLength: 1 }),
      fc.integer({ min: 1, max: 20 }),
      (prices, limit) => {
        let kept: readonly number[] = [];
        for (const price of prices) {
          const before = [...kept];
          const next = withPrice(kept, price, limit);
          expect(kept).toEqual(before);
          kept = next;
        }
        expect(kept).toEqual(prices.slice(-limit));
      },
    ),
  );
});
