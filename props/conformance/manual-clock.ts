interface Timer {
  readonly at: number;
  readonly n: number;
  readonly run: () => void;
}

/** Time that stands still until it is told to go on. Timers of the same moment fire in the order they were set. */
export class ManualClock {
  #now = 0;
  #next = 1;
  readonly #timers = new Map<number, Timer>();

  readonly setTimeout = (run: () => void, ms: number = 0): number => {
    const n = this.#next++;
    this.#timers.set(n, { at: this.#now + Math.max(0, ms), n, run });
    return n;
  };

  readonly clearTimeout = (n: unknown): void => {
    this.#timers.delete(n as number);
  };

  /** Fires what falls due, also what was set on the way, each when everything that the one before led to is done. */
  async advance(ms: number, settled: () => Promise<void>): Promise<void> {
    const end = this.#now + ms;
    for (let due = this.#due(end); due !== undefined; due = this.#due(end)) {
      this.#now = due.at;
      this.#timers.delete(due.n);
      due.run();
      await settled();
    }
    this.#now = end;
  }

  #due(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers.values()) {
      if (timer.at > end) continue;
      if (first === undefined || timer.at < first.at) first = timer;
    }
    return first;
  }
}
