import { HoldfastError } from '../base/errors.ts';
import { MOST_CALLS } from './messages.ts';

/** Begins what waits, once it is its turn. */
export type Turn = (begin: () => void) => void;

export interface CallOrderOptions {
  readonly address: string;
  /** Settles when the calls that have left have their places in the mailbox, or nobody can say. */
  readonly placed: () => Promise<unknown>;
  /** Nothing waits, and nothing is under way. */
  readonly idle: () => void;
}

interface Entry {
  readonly kind: 'row' | 'call';
  readonly begin: () => void;
}

/**
 * The order of what one node tells one address: rows go by the store, calls over a link, and neither overtakes the other. A
 * row waits until the calls before it are over or have their places, a call until the rows before it are kept.
 */
export class CallOrder {
  readonly #options: CallOrderOptions;
  readonly #waiting = new Set<Entry>();
  /** Calls that have left, and are neither over nor known to have their places. */
  readonly #unplaced = new Set<Entry>();
  /** Rows that are on their way into the store. */
  #keeping = 0;
  #isPlacing = false;
  #isReleased = false;

  constructor(options: CallOrderOptions) {
    this.#options = options;
  }

  /** Keeps a row in its turn. Rejects with `MAILBOX_FULL` when too much waits. */
  keep(keep: () => Promise<void>): Promise<void> {
    const { address } = this.#options;
    if (this.#waiting.size >= MOST_CALLS)
      return Promise.reject(
        new HoldfastError(
          'MAILBOX_FULL',
          `${address}: ${MOST_CALLS} events wait for calls that were made before; wait for some of them`,
        ),
      );
    return new Promise((resolve, reject) => {
      const over = (): void => {
        this.#keeping -= 1;
        this.#go();
      };
      const begin = (): void => {
        this.#keeping += 1;
        const keeping = keep();
        keeping.then(over, over);
        keeping.then(resolve, reject);
      };
      this.#enter({ kind: 'row', begin });
    });
  }

  /** Makes a call, which leaves when it is given its turn, and may end before. */
  call(call: (turn: Turn) => Promise<unknown>): Promise<unknown> {
    let entry: Entry | undefined;
    const calling = call((begin) => this.#enter((entry = { kind: 'call', begin })));
    const over = (): void => {
      if (entry !== undefined) for (const entries of [this.#waiting, this.#unplaced]) entries.delete(entry);
      this.#go();
    };
    calling.then(over, over);
    return calling;
  }

  /** Rows wait for no call any more. */
  release(): void {
    this.#isReleased = true;
    this.#go();
  }

  #enter(entry: Entry): void {
    this.#waiting.add(entry);
    this.#go();
  }

  #go(): void {
    for (const entry of this.#waiting) {
      const isRow = entry.kind === 'row';
      if (isRow && this.#unplaced.size > 0 && !this.#isReleased) return this.#place();
      if (!isRow && this.#keeping > 0) return;
      this.#waiting.delete(entry);
      if (!isRow) this.#unplaced.add(entry);
      entry.begin();
    }
    if (this.#waiting.size + this.#unplaced.size + this.#keeping === 0) this.#options.idle();
  }

  #place(): void {
    if (this.#isPlacing) return;
    this.#isPlacing = true;
    const left = [...this.#unplaced];
    const placed = (): void => {
      this.#isPlacing = false;
      for (const entry of left) this.#unplaced.delete(entry);
      this.#go();
    };
    this.#options.placed().then(placed, placed);
  }
}
