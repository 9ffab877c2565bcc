import type { Clock } from '../base/clock.ts';

/**
 * Milliseconds between two openings within which the first counts as one that came to nothing: a minute of work, and the
 * five minutes that an orchestrator lets pass before another start.
 */
const SHORT_MS = 6 * 60 * 1000;
/** Milliseconds that a start is careful for at least. */
const CAREFUL_MS = 60 * 1000;
/** Milliseconds between two looks at whether the start may end. */
const LOOK_MS = 1000;
/** The longest time in milliseconds that somebody is alone: whoever has not killed the process by then is not waited for. */
export const ALONE_MS = 5000;

/** Milliseconds that an instance has to live whose children or timers are at work from its start on. */
export const LIVED_MS = 1000;
/** The starts of an instance that may each end with the process. */
export const MOST_STARTS = 3;
/** The crashes of a thread as which the end of a process counts, so that a row is handed over three times before its last. */
export const PROCESS_CRASHES = 2;
/** The rows of an instance that are handed over together in a careful start. */
export const CAREFUL_ROWS = 64;

/** Whether the last two openings of a store each ended soon, and not by a close. */
export function isCareful(uncleanEnds: readonly number[], now: number): boolean {
  const [first, second] = uncleanEnds.slice(-2);
  return first !== undefined && second !== undefined && second - first < SHORT_MS && now - second < SHORT_MS;
}

export interface CarefulStartOptions {
  readonly clock: Clock;
  /** Whether whoever had something to do at the start has been woken. */
  readonly isThrough: () => boolean;
}

/**
 * A start after the process has ended twice in a row without a stop: something may kill it. So whoever starts and
 * whatever is handed over is written down first; what is found written down at the next start is under suspicion, and has its next
 * turn while no other suspect has.
 */
export class CarefulStart {
  readonly #options: CarefulStartOptions;
  #isOver = false;
  #timer: unknown;
  #last: Promise<void> = Promise.resolve();

  constructor(options: CarefulStartOptions) {
    this.#options = options;
    this.#endAfter(CAREFUL_MS);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Waits until no other suspect is at work; what it resolves with says that this one is not any more. */
  async alone(): Promise<() => void> {
    const { clock } = this.#options;
    const before = this.#last;
    let ended = (): void => {};
    this.#last = new Promise((resolve) => (ended = resolve));
    await before;
    const timer = clock.setTimeout(ended, ALONE_MS);
    clock.unref?.(timer);
    return () => {
      clock.clearTimeout(timer);
      ended();
    };
  }

  stop(): void {
    this.#isOver = true;
    this.#options.clock.clearTimeout(this.#timer);
  }

  #endAfter(ms: number): void {
    const { clock, isThrough } = this.#options;
    this.#timer = clock.setTimeout(() => {
      if (isThrough()) this.#isOver = true;
      else this.#endAfter(LOOK_MS);
    }, ms);
    clock.unref?.(this.#timer);
  }
}
