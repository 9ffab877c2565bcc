/** The crashes within that time after which the service is not started again, because only a person can help then. */
const MOST = 5;
const WITHIN_MS = 60_000;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5000;

/** Decides how long to wait before a crashed service is started again, and when to give up. */
export class CrashBudget {
  readonly #most: number;
  #crashes: number[] = [];

  constructor(most = MOST) {
    this.#most = most;
  }

  /** Milliseconds to wait; undefined when the service has crashed too often. */
  crashed(now: number): number | undefined {
    this.#crashes = [...this.#crashes.filter((at) => at > now - WITHIN_MS), now];
    if (this.#crashes.length > this.#most) return undefined;
    return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (this.#crashes.length - 1));
  }
}
