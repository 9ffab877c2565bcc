import type { Order } from './agents/orders.ts';
import type { Series } from './prices.ts';

/** For tests: the strategy once more, as a plain loop over one pass. */
export function ordersOf({ symbol, prices, fast, slow }: Series, pass = 1): Order[] {
  const mean = (from: number, to: number): number =>
    prices.slice(from, to).reduce((sum, { price }) => sum + price, 0) / (to - from);
  const orders: Order[] = [];
  for (let day = slow; day <= prices.length; day += 1) {
    const above = mean(day - fast, day) > mean(day - slow, day);
    const holds = orders.at(-1)?.side === 'buy';
    const { date, price } = prices[day - 1] ?? { date: '', price: 0 };
    if (above !== holds) orders.push({ symbol, side: above ? 'buy' : 'sell', price, date, pass });
  }
  return orders;
}
