import type { SecretsClock } from './values/secrets-clock.ts';

/** A deadline that has not come. */
export interface Due {
  /** Milliseconds of the clock. */
  readonly at: number;
  readonly late: () => void;
}

interface Row {
  readonly ms: number;
  /** In the order in which they come, since all are as long. */
  readonly dues: Set<Due>;
  timer: unknown;
  isSet: boolean;
}

/** Deadlines of a few lengths, with one timer for all of a length: most are taken back long before they come. */
export class Deadlines {
  readonly #clock: SecretsClock;
  readonly #rows = new Map<number, Row>();

  constructor(clock: SecretsClock) {
    this.#clock = clock;
  }

  /** Calls `late` after `ms`, counted from `from`, unless it is taken back. */
  add(ms: number, from: number, late: () => void): Due {
    let row = this.#rows.get(ms);
    if (row === undefined)
      this.#rows.set(ms, (row = { ms, dues: new Set(), timer: undefined, isSet: false }));
    const due: Due = { at: from + ms, late };
    row.dues.add(due);
    if (!row.isSet) this.#set(row, due.at - this.#clock.now());
    return due;
  }

  /** Takes a deadline back. One that has come is ignored. */
  remove(ms: number, due: Due): void {
    const row = this.#rows.get(ms);
    if (row?.dues.delete(due) !== true || row.dues.size > 0 || !row.isSet) return;
    // The next may come in this very tick.
    queueMicrotask(() => {
      if (row.dues.size > 0 || !row.isSet) return;
      this.#clock.clearTimeout(row.timer);
      row.isSet = false;
    });
  }

  #set(row: Row, ms: number): void {
    row.isSet = true;
    row.timer = this.#clock.setTimeout(() => this.#come(row), ms);
  }

  #come(row: Row): void {
    row.isSet = false;
    const now = this.#clock.now();
    for (const due of row.dues) {
      // A timer of Node comes up to a millisecond early.
      if (due.at - now >= 1) return this.#set(row, due.at - now);
      row.dues.delete(due);
      due.late();
      // What it has called may have set the timer anew.
      if (row.isSet) return;
    }
  }
}
