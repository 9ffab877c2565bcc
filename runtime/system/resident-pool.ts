import type { Clock } from '../base/clock.ts';
import type { Instance } from '../instance/instance.ts';
import type { ResidentCounts } from '../telling/status.ts';

export interface ResidentPoolOptions {
  readonly threadId: string;
  /** Returns how many instances the pool is to hold at most, if that has a bound. */
  readonly most: () => number | undefined;
  /** Whether the host knows of nothing that keeps the instance in memory. */
  readonly mayLeave: (instance: Instance) => boolean;
  readonly clock: Clock;
  readonly warn: (fields: object, message: string) => void;
}

/** The most instances that are asked to leave for one that comes. */
const TRIES = 16;
/** The most that are looked at for each of those tries: together they take some ten microseconds. */
const LOOKS = 64;
/** Milliseconds for which a pool counts as full, after none could leave, for those whom nobody waits for. */
const FULL_MS = 100;
/** Milliseconds between two warnings that a pool is too full. */
const WARN_MS = 60_000;

/**
 * The instances of one pool, in the order in which they were last seen to have done something: that is looked at when one has
 * to leave, so that nothing is noted while they do it. The looks go round: each begins where the last one ended, and is at a
 * bounded number of them, however many there are. A pool that is too full, because those could not leave, has two leave for
 * the next one that comes.
 */
export class ResidentPool {
  readonly #options: ResidentPoolOptions;
  /** What each had done when it was last looked at. */
  readonly #all = new Map<Instance, number>();
  readonly #leaving = new Set<Instance>();
  /** Instances that never leave. */
  readonly #staying = new Set<Instance>();
  /** How many were looked at since the last one that could leave. */
  #fruitless = 0;
  #passive = 0;
  #passivations = 0;
  #over = 0;
  #fullUntil = 0;
  #warned = -Infinity;

  constructor(options: ResidentPoolOptions) {
    this.#options = options;
  }

  get counts(): ResidentCounts {
    const [passive, passivations, over] = [this.#passive, this.#passivations, this.#over];
    return { resident: this.#size, passive, passivations, over };
  }

  get #size(): number {
    return this.#all.size + this.#staying.size;
  }

  came(instance: Instance, canLeave: boolean): void {
    if (canLeave) this.#all.set(instance, -1);
    else this.#staying.add(instance);
  }

  left(instance: Instance, passive: boolean): void {
    this.#all.delete(instance);
    this.#staying.delete(instance);
    if (!passive) return;
    this.#passive += 1;
    this.#passivations += 1;
  }

  woke(): void {
    this.#passive = Math.max(0, this.#passive - 1);
  }

  /** Has another instance leave for one that came and has no seat yet; it gets one in any case. */
  room(instance: Instance): Promise<void> | undefined {
    const { most } = this.#options;
    return this.#size > (most() ?? Infinity) ? this.#roomFor(instance) : undefined;
  }

  async #roomFor(instance: Instance): Promise<void> {
    const { clock, most, threadId, warn } = this.#options;
    if (await this.#made(instance)) {
      if (this.#size - this.#leaving.size > (most() ?? Infinity)) void this.#made(instance);
      return;
    }
    this.#over += 1;
    const now = clock.now();
    if (now - this.#warned < WARN_MS) return;
    this.#warned = now;
    warn(
      { threadId, resident: this.#size, maxResident: most() },
      'a pool holds more instances than its maxResident, because somebody waits for them and none of the others that were looked at may leave',
    );
  }

  /** Whether there is room for one more, or some was made. */
  spare(): Promise<boolean> | boolean {
    const { clock, most } = this.#options;
    if (this.#size < (most() ?? Infinity)) return true;
    return clock.now() >= this.#fullUntil && this.#made();
  }

  /** Has the one leave that has done nothing for longest and may, of those it looks at. */
  async #made(instance?: Instance): Promise<boolean> {
    const { clock } = this.#options;
    for (let tries = 0; tries < TRIES; tries++) {
      const oldest = this.#oldest(instance);
      if (oldest === undefined) break;
      this.#leaving.add(oldest);
      try {
        if (await oldest.rest()) return true;
      } finally {
        this.#leaving.delete(oldest);
      }
      if (this.#all.delete(oldest)) this.#all.set(oldest, oldest.uses);
    }
    // Unless others are still to be looked at.
    if (this.#fruitless >= this.#all.size) this.#fullUntil = clock.now() + FULL_MS;
    return false;
  }

  #oldest(except: Instance | undefined): Instance | undefined {
    const { mayLeave } = this.#options;
    let looks = Math.min(LOOKS, this.#all.size);
    let used: Instance | undefined;
    for (const [instance, before] of this.#all) {
      if (looks === 0) break;
      looks -= 1;
      const { uses } = instance;
      const isFree = instance !== except && !this.#leaving.has(instance) && mayLeave(instance);
      this.#fruitless = isFree ? 0 : this.#fruitless + 1;
      if (isFree && uses === before) return instance;
      if (isFree) used ??= instance;
      // Those that go to the end are looked at again after all others.
      this.#all.delete(instance);
      this.#all.set(instance, uses);
    }
    // All of them have done something since the last look, this one before the others.
    return used;
  }
}
