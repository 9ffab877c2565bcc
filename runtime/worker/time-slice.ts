/** Milliseconds of turns after which timers and messages have their time, and the host hears of the progress. */
export const SLICE_MS = 2;
/**
 * The most turns between two reads of the clock, as many as an instance has in a row: on some machines a read costs as
 * much as a turn.
 */
const MOST_TURNS = 16;

/** The number of turns an instance has between two reads of the clock. */
export interface Pace {
  turns: number;
  /** The turns that are left until the next read. */
  left: number;
}

/** The pace of an instance whose turns have not been timed yet. */
export function newPace(): Pace {
  return { turns: 1, left: 1 };
}

export interface TimeSliceOptions {
  /** Milliseconds that never go back. */
  readonly now: () => number;
  /** Changes from time to time, when the host looks at the thread, and costs nothing to read. */
  readonly looks: () => number;
}

/**
 * The time that turns may take before timers and messages have theirs. The clock is read after each turn of an instance
 * that is new or was slow, and after ever more turns of a fast one. A fast one that becomes slow is noticed after the
 * turn in which the host has looked at the thread, as it does four times in a second.
 */
export class TimeSlice {
  readonly #options: TimeSliceOptions;
  #began = 0;
  #lookedAt = 0;
  #looks = 0;
  #isUp = false;
  #isOneTurn = false;

  constructor(options: TimeSliceOptions) {
    this.#options = options;
  }

  begin(): void {
    const { now, looks } = this.#options;
    this.#began = this.#lookedAt = now();
    this.#looks = looks();
    this.#isUp = this.#isOneTurn = false;
  }

  /** Begins a slice of one turn, which is not worth a read of the clock. */
  beginOne(): void {
    this.#looks = this.#options.looks();
    this.#isUp = false;
    this.#isOneTurn = true;
  }

  /** The time of the last read of the clock. */
  get lookedAt(): number {
    return this.#lookedAt;
  }

  /** Whether the time is up, after `turns` more of an instance. */
  isUp(pace: Pace, turns = 1): boolean {
    const isLooked = this.#options.looks() !== this.#looks;
    if (this.#isOneTurn) {
      this.#isUp ||= isLooked;
      return this.#isUp;
    }
    pace.left -= turns;
    return pace.left > 0 && !isLooked ? false : this.look(pace);
  }

  /** Like {@link isUp}, when the instance has no more turns for now. */
  look(pace: Pace): boolean {
    if (this.#isOneTurn || pace.left === pace.turns) return this.#isUp;
    const { now, looks } = this.#options;
    const time = now();
    pace.turns = time - this.#lookedAt > SLICE_MS ? 1 : Math.min(MOST_TURNS, pace.turns * 2);
    pace.left = pace.turns;
    this.#lookedAt = time;
    this.#looks = looks();
    this.#isUp = time - this.#began > SLICE_MS;
    return this.#isUp;
  }
}
