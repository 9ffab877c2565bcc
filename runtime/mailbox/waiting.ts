import type { Tag } from './mailbox.ts';

/** The part of a clock that a deadline needs. */
export interface TimeoutClock {
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
}

export interface WaitOptions {
  readonly timeoutMs: number;
  /** Made only when the time is up. */
  readonly onTimeout: () => Error;
  readonly signal?: AbortSignal | undefined;
}

interface Waiter {
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
  readonly done: () => void;
}

/**
 * The promises of those who wait for an envelope: asks (`tag > 0`) for a reply, deliveries (`tag < 0`) for
 * its having been handled. Each has a deadline; an answer to nobody is ignored.
 */
export class Waiting {
  readonly #clock: TimeoutClock;
  readonly #waiters = new Map<Tag, Waiter>();
  #last = 0;

  constructor(clock: TimeoutClock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** Opens a wait and hands its tag to `offer`, which queues the envelope. */
  open(kind: 'ask' | 'delivery', options: WaitOptions, offer: (tag: Tag) => void): Promise<unknown> {
    const { timeoutMs, onTimeout, signal } = options;
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    this.#last += 1;
    const tag = kind === 'ask' ? this.#last : -this.#last;
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimeout(() => this.reject(tag, onTimeout()), timeoutMs);
      const abort = signal && (() => this.reject(tag, signal.reason));
      if (abort) signal.addEventListener('abort', abort, { once: true });
      const done = (): void => {
        this.#clock.clearTimeout(timer);
        if (abort) signal.removeEventListener('abort', abort);
      };
      this.#waiters.set(tag, { resolve, reject, done });
      try {
        offer(tag);
      } catch (error) {
        this.reject(tag, error);
      }
    });
  }

  resolve(tag: Tag, value?: unknown): void {
    this.#take(tag)?.resolve(value);
  }

  reject(tag: Tag, reason: unknown): void {
    this.#take(tag)?.reject(reason);
  }

  #take(tag: Tag): Waiter | undefined {
    const waiter = this.#waiters.get(tag);
    this.#waiters.delete(tag);
    waiter?.done();
    return waiter;
  }
}
