import type { Clock } from '../base/clock.ts';
import type { Progress } from '../wire/progress.ts';

export interface StandstillOptions {
  readonly clock: Pick<Clock, 'now'>;
  readonly progress: Pick<Progress, 'inHand' | 'turns'>;
  /** Resolves when the thread's event loop has come round. */
  readonly ping: () => Promise<unknown>;
  /** Milliseconds of the current turn or other work, as far as the watchdog has seen; 0 without a watchdog. */
  readonly seen: () => number;
}

/** Milliseconds between two looks above which the host itself was late, and may have kept the answer waiting. */
const LATE_MS = 250;

/**
 * Measures how long a thread has been at one and the same work: one turn, or something outside of turns that leaves a ping
 * unanswered. It measures only while somebody needs to know, as when the runtime stops.
 */
export class Standstill {
  readonly #options: StandstillOptions;
  #since: number;
  #lookedAt: number;
  #turn: number;
  #slot: number;
  #pinging = false;

  constructor(options: StandstillOptions) {
    const { clock, progress, seen } = options;
    this.#options = options;
    this.#turn = progress.turns();
    this.#slot = progress.inHand();
    this.#lookedAt = clock.now();
    this.#since = this.#lookedAt - seen();
    this.#ping();
  }

  /** Returns the milliseconds so far; 0 when the thread has made progress since the last look. */
  look(): number {
    const { clock, progress } = this.#options;
    const [turn, slot, now] = [progress.turns(), progress.inHand(), clock.now()];
    // Time in which the host was late does not count.
    if (now - this.#lookedAt > LATE_MS) this.#since += now - this.#lookedAt;
    this.#lookedAt = now;
    const same = turn === this.#turn && slot === this.#slot && (slot !== -1 || this.#pinging);
    if (!same) [this.#turn, this.#slot, this.#since] = [turn, slot, now];
    if (!this.#pinging) this.#ping();
    return now - this.#since;
  }

  #ping(): void {
    this.#pinging = true;
    const answered = (): void => {
      this.#pinging = false;
    };
    this.#options.ping().then(answered, answered);
  }
}
