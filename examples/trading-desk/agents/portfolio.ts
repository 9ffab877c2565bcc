import type { Order } from './orders.ts';

/** One price of one symbol on one day. */
export interface Mark {
  readonly symbol: string;
  readonly date: string;
  readonly price: number;
}

export interface Holding {
  readonly symbol: string;
  readonly value: number;
  readonly trades: number;
}

export interface Valuation {
  /** The date of the newest mark. */
  readonly asOf: string;
  readonly value: number;
  /** The deepest fall from an earlier peak of the whole book, 0 to 1. */
  readonly drawdown: number;
  readonly trades: number;
  readonly holdings: readonly Holding[];
}

interface Position {
  cash: number;
  units: number;
  price: number;
  trades: number;
}

const worth = (position: Position): number => position.cash + position.units * position.price;

/**
 * What a book is worth when every symbol starts with `stake` in cash, a buy puts all of it in and a sell
 * takes all of it out (fractions allowed, no costs). Orders are matched to marks by date, so the order in
 * which signatures arrived does not matter.
 */
export function valuePortfolio(marks: readonly Mark[], orders: readonly Order[], stake: number): Valuation {
  const positions = new Map<string, Position>();
  const due = new Map<string, Order[]>();
  for (const order of orders) {
    const key = `${order.symbol} ${order.date}`;
    const others = due.get(key);
    if (others) others.push(order);
    else due.set(key, [order]);
  }
  for (const { symbol, price } of marks)
    if (!positions.has(symbol)) positions.set(symbol, { cash: stake, units: 0, price, trades: 0 });

  const inTime = marks.toSorted((a, b) => (a.date < b.date ? -1 : a.date > b.date ? 1 : 0));
  let value = positions.size * stake;
  let peak = value;
  let drawdown = 0;
  for (const { symbol, date, price } of inTime) {
    const position = positions.get(symbol);
    if (!position) continue;
    value -= worth(position);
    position.price = price;
    for (const order of due.get(`${symbol} ${date}`) ?? []) trade(position, order);
    value += worth(position);
    peak = Math.max(peak, value);
    drawdown = Math.max(drawdown, (peak - value) / peak);
  }

  const holdings = [...positions].map(([symbol, position]) => ({
    symbol,
    value: worth(position),
    trades: position.trades,
  }));
  return {
    asOf: inTime.at(-1)?.date ?? '',
    value: holdings.reduce((sum, holding) => sum + holding.value, 0),
    drawdown,
    trades: holdings.reduce((sum, holding) => sum + holding.trades, 0),
    holdings,
  };
}

function trade(position: Position, order: Order): void {
  if (order.side === 'buy') {
    position.units += position.cash / order.price;
    position.cash = 0;
  } else {
    position.cash += position.units * order.price;
    position.units = 0;
  }
  position.trades += 1;
}
