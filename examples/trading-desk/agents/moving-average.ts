/** The newest `limit` prices, newest last. */
export function withPrice(prices: readonly number[], price: number, limit: number): number[] {
  const kept = prices.length < limit ? prices.slice() : prices.slice(prices.length - limit + 1);
  kept.push(price);
  return kept;
}

/** The mean of the newest `count` prices; of all of them when there are fewer, 0 when there is none. */
export function movingAverage(prices: readonly number[], count: number): number {
  const from = Math.max(0, prices.length - count);
  let sum = 0;
  for (let i = from; i < prices.length; i += 1) sum += prices[i] ?? 0;
  return prices.length === from ? 0 : sum / (prices.length - from);
}
