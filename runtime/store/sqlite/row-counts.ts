import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { crowdedFrom } from '../most-rows.ts';

/** The most addresses of which the count is known. */
const MOST_KNOWN = 10_000;

/**
 * How many rows wait for an address, counted when it is first sent one: nobody else writes any. So the opening of a store
 * counts nothing, however much it holds.
 */
export class RowCounts {
  readonly #most: number;
  readonly #crowdedFrom: number;
  readonly #count: StatementSync;
  readonly #known = new Map<string, number>();

  constructor(db: DatabaseSync, most = Infinity) {
    this.#most = most;
    this.#crowdedFrom = crowdedFrom(most);
    this.#count = db.prepare('select count(*) from rows where address = ?');
    this.#count.setReturnArrays(true);
  }

  /** Whether so many rows wait for the address as may. */
  isFull(address: string): boolean {
    return this.#of(address) >= this.#most;
  }

  isCrowded(address: string): boolean {
    return this.#of(address) >= this.#crowdedFrom;
  }

  /** So many more rows, or fewer. */
  add(address: string, rows: number): void {
    const known = this.#known.get(address);
    if (known !== undefined) this.#known.set(address, known + rows);
  }

  /** What was written last was undone. */
  forget(): void {
    this.#known.clear();
  }

  #of(address: string): number {
    const known = this.#known.get(address);
    if (known !== undefined || this.#most === Infinity) return known ?? 0;
    const [count] = this.#count.get(address) as unknown as [number];
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(address, count);
    return count;
  }
}
