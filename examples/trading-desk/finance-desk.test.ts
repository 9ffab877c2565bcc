import { expect, test } from 'vitest';
import { valuePortfolio } from './agents/portfolio.ts';
import { marksOf, openBooks, STAKE } from './finance-desk.ts';
import { openDesk } from './open-desk.fixture.ts';
import { ordersOf } from './plain-strategy.fixture.ts';
import { loadSeries } from './prices.ts';
import { reportVerifies } from './signatures.ts';

const series = await loadSeries();
const signed = { signature: 'ab', keyVersion: 'v1' };

test('the marks of several series are one sequence in order of time, none lost', () => {
  const marks = marksOf(series);
  const dates = marks.map(({ date }) => date);
  expect(dates).toEqual(dates.toSorted());
  expect(marks).toHaveLength(series.reduce((sum, { prices }) => sum + prices.length, 0));
});

test('shares and indices are kept in books of their own, on threads of their own', async () => {
  await using desk = await openDesk();
  const { books, bookOf } = await openBooks(desk.runtime, series, desk.witness);
  expect(books.map(({ name, symbols }) => [name, symbols.size])).toEqual([
    ['shares', 5],
    ['indices', 3],
  ]);
  expect(bookOf('GOOG')?.name).toBe('shares');
  expect(bookOf('VIX')?.name).toBe('indices');
  expect(bookOf('TSLA')).toBeUndefined();
  const threads = desk.runtime.status().instances.map(({ thread }) => thread);
  expect(new Set(threads).size).toBe(2);
});

test('a closed book is worth what its orders made of its prices, signed by the host', async () => {
  await using desk = await openDesk();
  const shares = series.filter(({ unit }) => unit === 'USD');
  const { bookOf } = await openBooks(desk.runtime, series, desk.witness);
  const book = bookOf('MSFT');
  const orders = shares.flatMap((one) => ordersOf(one));
  for (const order of orders) book?.tell({ ...order, ...signed });
  const report = await book?.close();
  expect(report).toMatchObject({ book: 'shares', ...valuePortfolio(marksOf(shares), orders, STAKE) });
  expect(report && reportVerifies(report, desk.key.versions)).toBe(true);
  expect(desk.deadLetters).toEqual([]);
});

test('a book can be closed again and again, each time with what came since', async () => {
  await using desk = await openDesk();
  const { bookOf } = await openBooks(desk.runtime, series, desk.witness);
  const book = bookOf('VIX');
  const before = await book?.close();
  for (const one of series.filter(({ symbol }) => symbol === 'VIX'))
    for (const order of ordersOf(one)) book?.tell({ ...order, ...signed });
  const after = await book?.close();
  expect(before).toMatchObject({ trades: 0, value: 3 * STAKE });
  expect(after).toMatchObject({ trades: 5 });
  expect(await book?.rotations()).toBe(0);
});
