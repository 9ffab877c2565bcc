import type { Clock } from '../base/clock.ts';
import type { OsThread } from './os-thread.ts';

/** Milliseconds between two looks at least: of a shorter time the load says little. */
const LOOK_MS = 1000;

/** How a thread is; a figure that nobody can know is absent. */
export interface ThreadVitals {
  /** The share of the time between the last two looks in which the event loop was busy: 0 to 1. */
  readonly utilization?: number;
  /** Bytes of the heap that were in use at the last look. */
  readonly heapUsed?: number;
}

/** Looks at a thread when it begins, and when somebody asks; nothing is measured for nobody. */
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

  /** What the last look has found; the next is taken when that is a second ago. */
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

  /** The heap is told by the thread itself, which may be at work: a look later. */
  #weigh(): void {
    this.#thread.heapUsed?.().then(
      (bytes) => (this.#heapUsed = bytes),
      () => {},
    );
  }
}
