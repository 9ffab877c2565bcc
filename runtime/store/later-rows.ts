import { type Clock, LONGEST_TIMER_MS } from '../base/clock.ts';
import type { MailboxRow } from './durable-store.ts';

/** The rows of one instance whose time has not come. */
export class LaterRows {
  readonly #clock: Clock;
  readonly #come: () => void;
  /** By number, when they are due. */
  readonly #due = new Map<number, number>();
  #timer: unknown;
  #timerAt = Infinity;
  #isClosed = false;

  /** `come`: the time of one of them has come, and by what is read then it is found what is due next. */
  constructor(clock: Clock, come: () => void) {
    this.#clock = clock;
    this.#come = come;
  }

  get size(): number {
    return this.#due.size;
  }

  /** Whether the time of the row has not come; then it is looked for when it has. */
  has({ n, dueAt }: Pick<MailboxRow, 'n' | 'dueAt'>): boolean {
    if (dueAt <= this.#clock.date()) {
      this.#due.delete(n);
      return false;
    }
    this.#due.set(n, dueAt);
    if (dueAt < this.#timerAt && !this.#isClosed) this.#arm(dueAt);
    return true;
  }

  #arm(dueAt: number): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timerAt = dueAt;
    this.#timer = this.#clock.setTimeout(
      () => {
        this.#timerAt = Infinity;
        this.#come();
      },
      Math.min(dueAt - this.#clock.date(), LONGEST_TIMER_MS),
    );
    this.#clock.unref?.(this.#timer);
  }

  /** The instance is gone: whoever wakes it looks for them. */
  close(): void {
    this.#isClosed = true;
    this.#clock.clearTimeout(this.#timer);
  }
}
