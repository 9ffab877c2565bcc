import type { Clock } from '../base/clock.ts';
import type { OsThread } from './os-thread.ts';

/** The least milliseconds between two readings: over a shorter time the load says little. */
const LOOK_MS = 1000;

/** The load and the heap of a thread; a figure that nobody can know is absent. */
export interface ThreadVitals {
  /** The share of the time between the last two readings in which the event loop was busy, 0 to 1. */
  readonly utilization?: number;
  /** The bytes of the heap that were in use at the last reading. */
  readonly heapUsed?: number;
}

/** Reads the vital signs of a thread when it begins and when somebody asks; without a reader nothing is measured. */
export class VitalSigns {
  readonly #thread: Pick<OsThread, 'readLoad' | 'heapUsed'>;
  readonly #clock: Pick<Clock, 'now'>;
  #load: (() => number) | undefined;
  #lookedAt = 0;
  #utilization: number | undefined;
  #heapUsed: number | undefined;

  constructor(thread: Pick<OsThread, 'readLoad' | 'heapUsed'>, clock: Pick<Clock, 'now'>) {
    this.#thread = thread;
    this.#clock = clock;
  }

  begin(): void {
    this.#lookedAt = this.#clock.now();
    this.#load = this.#thread.readLoad?.();
    this.#weigh();
  }

  /** Returns the last reading, and takes a new one when that is a second old. */
  look(): ThreadVitals {
    const now = this.#clock.now();
    if (this.#load !== undefined && now - this.#lookedAt >= LOOK_MS) {
      this.#lookedAt = now;
      this.#utilization = this.#load();
      this.#weigh();
    }
    return {
      ...(this.#utilization !== undefined && { utilization: this.#utilization }),
      ...(this.#heapUsed !== undefined && { heapUsed: this.#heapUsed }),
    };
  }

  /** Asks for the heap; the thread itself answers and may be at work, so the figure shows in a later reading. */
  #weigh(): void {
    this.#thread.heapUsed?.().then(
      (bytes) => (this.#heapUsed = bytes),
      () => {},
    );
  }
}
