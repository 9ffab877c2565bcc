import { expect, test } from 'vitest';
import { loadSeries } from './prices.ts';

const series = await loadSeries();

test.each([
  ['MSFT', 123, ['2000-01-01', 39.81], ['2010-03-01', 28.8]],
  ['AMZN', 123, ['2000-01-01', 64.56], ['2010-03-01', 128.82]],
  ['IBM', 123, ['2000-01-01', 100.52], ['2010-03-01', 125.55]],
  ['GOOG', 68, ['2004-08-01', 102.37], ['2010-03-01', 560.19]],
  ['AAPL', 123, ['2000-01-01', 25.94], ['2010-03-01', 223.02]],
  ['SP500', 5105, ['2000-01-03', 1455.219971], ['2020-04-17', 2874.560059]],
  ['SP500-M', 123, ['2000-01-01', 1394.46], ['2010-03-01', 1140.45]],
  ['VIX', 44, ['2009-06-01', 30.04], ['2009-07-31', 25.92]],
] as const)('%s has %i prices from %j to %j', (symbol, count, first, last) => {
  const found = series.find((one) => one.symbol === symbol);
  expect(found?.prices).toHaveLength(count);
  expect(found?.prices[0]).toEqual({ date: first[0], price: first[1] });
  expect(found?.prices.at(-1)).toEqual({ date: last[0], price: last[1] });
});

test('there are eight series, one for each thread the owner allows', () => {
  expect(series).toHaveLength(8);
});

test('every series runs forward in time and holds no gap that is not a number', () => {
  for (const { prices } of series) {
    expect(prices.every(({ price }) => price > 0)).toBe(true);
    const dates = prices.map(({ date }) => date);
    expect(dates).toEqual(dates.toSorted());
    expect(new Set(dates).size).toBe(dates.length);
  }
});

test('every series is long enough for its slower average', () => {
  for (const { prices, fast, slow } of series) {
    expect(fast).toBeLessThan(slow);
    expect(prices.length).toBeGreaterThan(slow);
  }
});

test('shares are in dollars, indices in points', () => {
  const points = series.filter(({ unit }) => unit === 'points').map(({ symbol }) => symbol);
  expect(points).toEqual(['SP500', 'SP500-M', 'VIX']);
});
