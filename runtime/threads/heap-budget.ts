import type { Clock } from '../base/clock.ts';

/** Milliseconds between two looks. */
const LOOK_MS = 1000;
/** Looks in a row that find too much: garbage that the next collection takes is not worth a thread. */
const LOOKS = 5;
/** Milliseconds that a thread lives at least, and between two tries: what its instances keep may be too much by itself. */
const PATIENCE_MS = 60_000;

export interface HeapBudgetOptions {
  readonly clock: Clock;
  /** Bytes that may be in use. */
  readonly budget: number;
  /** Bytes of the thread's heap that are in use; undefined when nobody knows. */
  readonly used: () => Promise<number | undefined>;
  /** The thread keeps more than it may: it is to be replaced. */
  readonly exceeded: (used: number) => void;
}

/** Watches how much of its heap a thread uses, so that it is replaced at a safe point before it runs out of memory. */
export class HeapBudget {
  readonly #options: HeapBudgetOptions;
  #timer: unknown;
  #over = false;
  #found = 0;
  #triedAt: number;

  constructor(options: HeapBudgetOptions) {
    this.#options = options;
    this.#triedAt = options.clock.now();
    this.#wait();
  }

  end(): void {
    this.#over = true;
    this.#options.clock.clearTimeout(this.#timer);
  }

  #wait(): void {
    const { clock } = this.#options;
    this.#timer = clock.setTimeout(() => void this.#look(), LOOK_MS);
    clock.unref?.(this.#timer);
  }

  async #look(): Promise<void> {
    const { clock, budget, used, exceeded } = this.#options;
    const bytes = (await used().catch(() => undefined)) ?? 0;
    if (this.#over) return;
    this.#found = bytes > budget ? this.#found + 1 : 0;
    if (this.#found >= LOOKS && clock.now() - this.#triedAt >= PATIENCE_MS) {
      this.#triedAt = clock.now();
      this.#found = 0;
      exceeded(bytes);
    }
    this.#wait();
  }
}
