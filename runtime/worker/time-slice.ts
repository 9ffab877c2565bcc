/** Milliseconds of turns after which timers and messages get theirs, and the host hears how far it is. */
export const SLICE_MS = 2;
/**
 * Turns between two looks at the clock at most, as many as an instance has in a row: on some machines a look costs as much
 * as a turn.
 */
const MOST_TURNS = 16;

/** How many turns an instance has between two looks at the clock. */
export interface Pace {
  turns: number;
  /** Of these, those that are left. */
  left: number;
}

/** Nobody knows yet how long its turns take. */
export function newPace(): Pace {
  return { turns: 1, left: 1 };
}

export interface TimeSliceOptions {
  /** Milliseconds that never go back. */
  readonly now: () => number;
  /** Changes from time to time, when the host looks at the thread: to read it costs nothing. */
  readonly looks: () => number;
}

/**
 * The time that turns may take before timers and messages have theirs. The clock is read after each turn of an instance
 * that is new or was slow, and after ever more turns of one that is fast. Should that one become slow, it is noticed after
 * the turn in which the host has looked at the thread, as it does four times in a second.
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

  /** The same for one turn, which is not worth a look at the clock. */
  beginOne(): void {
    this.#looks = this.#options.looks();
    this.#isUp = false;
    this.#isOneTurn = true;
  }

  /** When the clock was last read. */
  get lookedAt(): number {
    return this.#lookedAt;
  }

  /** Whether its time is up, after `turns` more of an instance. */
  isUp(pace: Pace, turns = 1): boolean {
    const isLooked = this.#options.looks() !== this.#looks;
    if (this.#isOneTurn) {
      this.#isUp ||= isLooked;
      return this.#isUp;
    }
    pace.left -= turns;
    return pace.left > 0 && !isLooked ? false : this.look(pace);
  }

  /** The same, when the instance has no more turns for now. */
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
