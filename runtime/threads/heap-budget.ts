import type { Clock } from '../base/clock.ts';

/** Milliseconds between two readings. */
const LOOK_MS = 1000;
/** The readings in a row that must exceed the budget: garbage that the next collection takes is not worth a thread. */
const LOOKS = 5;
/** Milliseconds that a thread lives at least, and between two tries: its instances alone may exceed the budget. */
const PATIENCE_MS = 60_000;

export interface HeapBudgetOptions {
  readonly clock: Clock;
  /** The most bytes of the heap that may be in use. */
  readonly budget: number;
  /** Resolves with the bytes of the thread's heap in use; `undefined` when not known. */
  readonly used: () => Promise<number | undefined>;
  /** Called when the thread exceeds its budget and must be replaced. */
  readonly exceeded: (used: number) => void;
}

/** Watches the heap of a thread, so that it is replaced at a safe point before it runs out of memory. */
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
