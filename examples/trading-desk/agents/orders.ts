/** What a trading agent decides; money moves only once it is signed. */
export interface Order {
  readonly symbol: string;
  readonly side: 'buy' | 'sell';
  /** In the unit of the series: US dollars for shares, points for an index. */
  readonly price: number;
  /** ISO 8601 date of the price. */
  readonly date: string;
  /** Which replay of the series decided it, from 1. */
  readonly pass: number;
}

/** What comes back from the host: the order with an HMAC-SHA256 (hex) and the version of the key that made it. */
export interface SignedOrder extends Order {
  readonly signature: string;
  readonly keyVersion: string;
}
