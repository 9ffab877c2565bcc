import { expect, test } from 'vitest';
import type { Order } from './orders.ts';
import { valuePortfolio } from './portfolio.ts';

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
