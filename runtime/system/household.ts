import { later, type Clock } from '../base/clock.ts';
import type { Instance } from '../instance/instance.ts';

export interface HouseholdOptions {
  /** Milliseconds without anything to do after which an instance leaves. */
  readonly afterMs: number;
  readonly clock: Clock;
  /** Has an instance leave; resolves with whether it has. */
  readonly leave: (instance: Instance) => Promise<boolean>;
}

/** How an instance was found when it was last looked at. */
interface Idle {
  uses: number;
  /** When it was first found so. */
  since: number;
}

/** The looks at an instance in the time after which it leaves when it has nothing to do. */
const LOOKS = 4;
/** Milliseconds between two looks, at least and at most. */
const LOOK_MS = { least: 10, most: 60_000 };
/** The most instances that are looked at in one go: the host does nothing else meanwhile. */
const GO = 256;
/** The most instances that are about to leave at a time. */
const LEAVING = 64;

/**
 * The instances of one agent that leave memory when they have had nothing to do for long. Whether one did something is seen
 * by what it has counted since the last look, so that nothing is noted while it does it.
 */
export class Household {
  readonly #options: HouseholdOptions;
  readonly #idle = new Map<Instance, Idle>();
  /** Those that are still to be looked at in this round; whoever comes meanwhile is the last. */
  #round: Iterator<[Instance, Idle]> = this.#idle.entries();
  #looking = false;

  constructor(options: HouseholdOptions) {
    this.#options = options;
  }

  came(instance: Instance): void {
    this.#idle.set(instance, { uses: -1, since: 0 });
    this.#arm();
  }

  left(instance: Instance): void {
    this.#idle.delete(instance);
    // An iterator holds all that its map had when it last went on, until it goes on.
    if (this.#idle.size === 0) this.#round = this.#idle.entries();
  }

  #arm(): void {
    if (this.#looking) return;
    this.#looking = true;
    const { afterMs, clock } = this.#options;
    const ms = Math.min(Math.max(afterMs / LOOKS, LOOK_MS.least), LOOK_MS.most);
    // A round of many goes takes as long as one of a single go.
    const goes = Math.ceil(this.#idle.size / GO);
    later(clock, () => void this.#look(), ms / Math.max(goes, 1));
  }

  async #look(): Promise<void> {
    const { afterMs, clock } = this.#options;
    const now = clock.now();
    const due: Instance[] = [];
    for (let looks = Math.min(GO, this.#idle.size); looks > 0; looks--) {
      const [instance, idle] = this.#next();
      const { uses } = instance;
      if (uses !== idle.uses) [idle.uses, idle.since] = [uses, now];
      else if (now - idle.since >= afterMs) due.push(instance);
    }
    const next = due.values();
    const leave = async (): Promise<void> => {
      for (const instance of next) await this.#leave(instance);
    };
    await Promise.all(Array.from({ length: Math.min(LEAVING, due.length) }, leave));
    this.#looking = false;
    if (this.#idle.size > 0) this.#arm();
  }

  #next(): [Instance, Idle] {
    let next = this.#round.next();
    if (next.done === true) {
      this.#round = this.#idle.entries();
      next = this.#round.next();
    }
    return next.value as [Instance, Idle];
  }

  async #leave(instance: Instance): Promise<void> {
    const { clock, leave } = this.#options;
    const idle = this.#idle.get(instance);
    // Something may have come since the look.
    if (idle === undefined || idle.uses !== instance.uses || (await leave(instance))) return;
    // It is asked again when as much time has passed.
    idle.since = clock.now();
  }
}
