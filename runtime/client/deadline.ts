/** The longest delay of a timer, 24 days: a longer one fires at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** An end of waiting: a time, and a signal of the caller that may come first. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #until: number;
  readonly #given: AbortSignal | undefined;
  readonly #abort = (): void => this.#controller.abort(this.#given?.reason);
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** After `ms` the signal is aborted with `late()`; when `signal` is aborted before, with its reason. */
  constructor(ms: number, late: () => Error, signal?: AbortSignal) {
    this.#until = performance.now() + ms;
    this.#given = signal;
    if (signal?.aborted === true) this.#abort();
    else signal?.addEventListener('abort', this.#abort, { once: true });
    if (ms < LONGEST_MS) this.#timer = setTimeout(() => this.#controller.abort(late()), Math.max(0, ms));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Milliseconds that are left; may be below 0, or Infinity. */
  get leftMs(): number {
    return this.#until - performance.now();
  }

  /** Waits; rejects with the reason of the signal when that comes first. */
  wait(ms: number): Promise<void> {
    const { signal } = this;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      const gone = (): void => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      };
      const timer = setTimeout(() => {
        signal.removeEventListener('abort', gone);
        resolve();
      }, ms);
      signal.addEventListener('abort', gone, { once: true });
    });
  }

  /** Takes the time away; the signal of the caller stays. */
  lift(): void {
    clearTimeout(this.#timer);
  }

  /** Nobody waits any more. */
  dispose(): void {
    clearTimeout(this.#timer);
    this.#given?.removeEventListener('abort', this.#abort);
  }
}
