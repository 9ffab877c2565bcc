/** Crashes in that time, after which the service is not started again: something else has to be done about it. */
const MOST = 5;
const WITHIN_MS = 60_000;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5000;

/** Says how long to wait before a service that crashed is started again, and when no more. */
export class CrashBudget {
  readonly #most: number;
  #crashes: number[] = [];

  constructor(most = MOST) {
    this.#most = most;
  }

  /** Milliseconds to wait; undefined when it crashed too often. */
  crashed(now: number): number | undefined {
    this.#crashes = [...this.#crashes.filter((at) => at > now - WITHIN_MS), now];
    if (this.#crashes.length > this.#most) return undefined;
    return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (this.#crashes.length - 1));
  }
}
