/**
 * Tells the front which connections have come, those that came together at once: before a byte of them is read, since the first
 * read is in the next turn of the event loop. Those that it never hears of are given to the next process.
 */
export class Receipts {
  readonly #tell: (connections: readonly number[], upTo?: number) => void;
  #taken: number[] = [];

  constructor(tell: (connections: readonly number[], upTo?: number) => void) {
    this.#tell = tell;
  }

  taken(n: number): void {
    if (this.#taken.push(n) === 1) setImmediate(() => this.#flush());
  }

  /** All that were given up to that one have come by now, or never will. */
  given(upTo: number): void {
    this.#flush(upTo);
  }

  #flush(upTo?: number): void {
    const taken = this.#taken;
    if (taken.length === 0 && upTo === undefined) return;
    this.#taken = [];
    this.#tell(taken, upTo);
  }
}
