/** The rows of one instance that may be handled now and have no place in its mailbox, oldest first. */
export class UnplacedRows {
  /** By number, whether they are written. */
  readonly #rows = new Map<number, boolean>();
  /** Those of them that were letters, and some that have a place by now. */
  readonly #again = new Set<number>();

  get size(): number {
    return this.#rows.size;
  }

  /** The row is not written yet. `isAgain`: it was a letter. */
  add(n: number, isAgain = false): void {
    this.#rows.set(n, false);
    if (isAgain) this.#again.add(n);
  }

  /** The row is written. */
  addWritten(n: number): void {
    this.#rows.set(n, true);
  }

  /** The row is written; one that is not among them has its place. */
  written(n: number): void {
    if (this.#rows.has(n)) this.#rows.set(n, true);
  }

  /** The row has its place, or is gone. */
  delete(n: number): void {
    this.#rows.delete(n);
  }

  /** The number of the first; undefined: there is none. */
  get first(): number | undefined {
    const [first] = this.#rows.keys();
    return first;
  }

  /** Whether a row before that number is among them. */
  hasBefore(n: number): boolean {
    for (const other of this.#rows.keys()) if (other < n) return true;
    return false;
  }

  /** Whether the first is written: no other is before it. */
  get isFirstWritten(): boolean {
    const [isWritten = false] = this.#rows.values();
    return isWritten;
  }

  get firstUnwritten(): number {
    for (const [n, isWritten] of this.#rows) if (!isWritten) return n;
    return Infinity;
  }

  /** The numbers of those that are written. */
  get allWritten(): number[] {
    return [...this.#rows].flatMap(([n, isWritten]) => (isWritten ? [n] : []));
  }

  /** Whether any of them was a letter. */
  get hasAgain(): boolean {
    for (const n of this.#again) {
      if (this.#rows.has(n)) return true;
      this.#again.delete(n);
    }
    return false;
  }
}
