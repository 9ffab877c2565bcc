/**
 * Tells the front which connections have come, all of one turn together: before a byte of them is read, since the
 * first read is in the next turn of the event loop. Connections without a receipt are given to the next process.
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

  /** All connections given up to that number have come by now, or never will. */
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
