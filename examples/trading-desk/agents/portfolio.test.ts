import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Order } from './orders.ts';
import { type Mark, valuePortfolio } from './portfolio.ts';

const mark = (symbol: string, day: number, price: number) => ({ symbol, date: `2000-01-0${day}`, price });
const order = (symbol: string, day: number, side: Order['side'], price: number): Order => ({
  symbol,
  side,
  price,
  date: `2000-01-0${day}`,
  pass: 1,
});

test('a book without orders is worth its cash', () => {
  const book = valuePortfolio([mark('A', 1, 10), mark('B', 1, 20)], [], 100);
  expect(book).toMatchObject({ value: 200, drawdown: 0, trades: 0, asOf: '2000-01-01' });
});

test('an empty book is worth nothing and divides by nothing', () => {
  expect(valuePortfolio([], [], 100)).toEqual({ asOf: '', value: 0, drawdown: 0, trades: 0, holdings: [] });
});

test('a buy follows the price until the sell', () => {
  const marks = [mark('A', 1, 10), mark('A', 2, 20), mark('A', 3, 5)];
  const book = valuePortfolio(marks, [order('A', 1, 'buy', 10), order('A', 2, 'sell', 20)], 100);
  expect(book).toMatchObject({ value: 200, drawdown: 0, trades: 2 });
});

test('the drawdown is the deepest fall from an earlier peak', () => {
  const marks = [10, 20, 5, 15, 12].map((price, index) => mark('A', index + 1, price));
  const book = valuePortfolio(marks, [order('A', 1, 'buy', 10)], 100);
  expect(book.drawdown).toBeCloseTo(0.75);
  expect(book.value).toBeCloseTo(120);
});

test('the drawdown is of the whole book, not of its worst symbol', () => {
  const marks = [mark('A', 1, 10), mark('B', 1, 10), mark('A', 2, 5), mark('B', 2, 10)];
  expect(valuePortfolio(marks, [order('A', 1, 'buy', 10)], 100).drawdown).toBeCloseTo(0.25);
});

test('neither the order of marks nor that of orders matters', () => {
  const marks = [mark('A', 1, 10), mark('A', 2, 20), mark('B', 1, 3), mark('B', 2, 6)];
  const orders = [order('A', 1, 'buy', 10), order('B', 1, 'buy', 3), order('A', 2, 'sell', 20)];
  const forward = valuePortfolio(marks, orders, 100);
  const backward = valuePortfolio(
    [marks[2], marks[3], marks[0], marks[1]].filter((m) => m !== undefined),
    orders.toReversed(),
    100,
  );
  expect(backward).toMatchObject({ value: forward.value, drawdown: forward.drawdown, trades: 3 });
});

const price = fc.integer({ min: 1, max: 10_000 }).map((cents) => cents / 100);
const series = fc.array(price, { minLength: 1, maxLength: 30 });

/** A buy and a sell by turns, on the days that were drawn. */
const alternating = (symbol: string, prices: readonly number[], days: readonly number[]): Order[] =>
  [...new Set(days.filter((day) => day < prices.length))]
    .toSorted((a, b) => a - b)
    .map((day, index) => ({
      symbol,
      side: index % 2 === 0 ? 'buy' : 'sell',
      price: prices[day] ?? 0,
      date: isoDay(day),
      pass: 1,
    }));
const isoDay = (day: number): string => `2000-01-${String(day + 1).padStart(2, '0')}`;
const marksFrom = (symbol: string, prices: readonly number[]): Mark[] =>
  prices.map((value, day) => ({ symbol, date: isoDay(day), price: value }));

test('whatever is traded, money is never negative and a drawdown is a part of the peak', () => {
  fc.assert(
    fc.property(series, series, fc.array(fc.nat(30)), (first, second, days) => {
      const marks = [...marksFrom('A', first), ...marksFrom('B', second)];
      const orders = [...alternating('A', first, days), ...alternating('B', second, days)];
      const book = valuePortfolio(marks, orders, 100);
      expect(book.value).toBeGreaterThanOrEqual(0);
      expect(book.drawdown).toBeGreaterThanOrEqual(0);
      expect(book.drawdown).toBeLessThanOrEqual(1);
      expect(book.trades).toBe(orders.length);
    }),
  );
});

test('two symbols in one book are worth what they are worth in two', () => {
  fc.assert(
    fc.property(series, series, fc.array(fc.nat(30)), (first, second, days) => {
      const a = { marks: marksFrom('A', first), orders: alternating('A', first, days) };
      const b = { marks: marksFrom('B', second), orders: alternating('B', second, days) };
      const together = valuePortfolio([...a.marks, ...b.marks], [...a.orders, ...b.orders], 100);
      const apart =
        valuePortfolio(a.marks, a.orders, 100).value + valuePortfolio(b.marks, b.orders, 100).value;
      expect(together.value).toBeCloseTo(apart, 6);
    }),
  );
});
