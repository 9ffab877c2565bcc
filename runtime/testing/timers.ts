/** Something to be done at a time of the manual clock. */
interface Timer {
  readonly due: number;
  readonly run: () => void;
}

/** The time of a manual clock, which several hold. */
export interface Time {
  now: number;
}

/**
 * The timers of one thread on a manual clock: they wait until they are run, in the order of their times. Usable as
 * XState's clock and as the runtime's.
 */
export class Timers {
  readonly #time: Time;
  readonly #timers = new Set<Timer>();

  constructor(time: Time) {
    this.#time = time;
  }

  readonly setTimeout = (run: () => void, ms: number): unknown => {
    // Node's own least, also for what is no number.
    const timer = { due: this.#time.now + (ms >= 1 ? ms : 1), run };
    this.#timers.add(timer);
    return timer;
  };

  readonly clearTimeout = (timer: unknown): void => {
    this.#timers.delete(timer as Timer);
  };

  /** Milliseconds since the epoch; the agents' date too. */
  readonly date = (): number => this.#time.now;

  /** When the next one is due. */
  get next(): number | undefined {
    return this.#first()?.due;
  }

  /** Runs the next one, if the time for it has come. */
  runNext(): void {
    const timer = this.#first();
    if (timer === undefined || timer.due > this.#time.now) return;
    this.#timers.delete(timer);
    timer.run();
  }

  /** Of those due at the same time the oldest. */
  #first(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) if (first === undefined || timer.due < first.due) first = timer;
    return first;
  }
}
