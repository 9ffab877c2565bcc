import type { Clock } from '../base/clock.ts';
import type { ResolvedAgent } from '../config/resolve.ts';
import type { Instance } from '../instance/instance.ts';

export interface ResidentsOptions {
  readonly clock: Clock;
  /** Whether somebody observes the reference of the instance. */
  readonly isObserved: (instance: Instance) => boolean;
}

/** The instances of one agent that may leave memory. */
interface Household {
  readonly afterMs: number;
  readonly idle: Map<Instance, Idle>;
  timer: unknown;
}

/** How an instance was found when it was last looked at. */
interface Idle {
  uses: number;
  /** When it was first found so. */
  since: number;
}

/** The looks in the time after which an instance that has nothing to do leaves. */
const LOOKS = 4;
/** Milliseconds between two looks, at least and at most. */
const LOOK_MS = { least: 10, most: 60_000 };
/** The most instances of an agent that are about to leave at a time. */
const LEAVING = 64;

/**
 * Has durable instances leave memory that have had nothing to do for long. Whether one did something is seen by what it has
 * counted since the last look, so that nothing is noted while it does it.
 */
export class Residents {
  readonly #options: ResidentsOptions;
  readonly #households = new Map<string, Household>();

  constructor(options: ResidentsOptions) {
    this.#options = options;
  }

  /** Whether instances of the agent leave memory. */
  canLeave({ passivateAfterMs = 0, supervision }: ResolvedAgent): boolean {
    return passivateAfterMs > 0 && (supervision.strategy ?? 'one-for-one') === 'one-for-one';
  }

  /** The instance is in memory. */
  came(instance: Instance): void {
    const { agent, continuation } = instance;
    if (!this.canLeave(agent) || !continuation.durable) return;
    let household = this.#households.get(agent.name);
    if (household === undefined) {
      household = { afterMs: agent.passivateAfterMs as number, idle: new Map(), timer: undefined };
      this.#households.set(agent.name, household);
    }
    household.idle.set(instance, { uses: -1, since: 0 });
    this.#arm(household);
  }

  /** The instance is not in memory any more. */
  left(instance: Instance): void {
    this.#households.get(instance.agent.name)?.idle.delete(instance);
  }

  #arm(household: Household): void {
    if (household.timer !== undefined) return;
    const { clock } = this.#options;
    const ms = Math.min(Math.max(household.afterMs / LOOKS, LOOK_MS.least), LOOK_MS.most);
    household.timer = clock.setTimeout(() => void this.#look(household), ms);
    clock.unref?.(household.timer);
  }

  async #look(household: Household): Promise<void> {
    const now = this.#options.clock.now();
    const due: Instance[] = [];
    for (const [instance, idle] of household.idle) {
      const { uses } = instance;
      if (uses !== idle.uses) [idle.uses, idle.since] = [uses, now];
      else if (now - idle.since >= household.afterMs) due.push(instance);
    }
    const next = due.values();
    const leave = async (): Promise<void> => {
      for (const instance of next) await this.#leave(household, instance);
    };
    await Promise.all(Array.from({ length: Math.min(LEAVING, due.length) }, leave));
    household.timer = undefined;
    if (household.idle.size > 0) this.#arm(household);
  }

  async #leave(household: Household, instance: Instance): Promise<void> {
    const { clock, isObserved } = this.#options;
    const idle = household.idle.get(instance);
    // Something may have come since the look.
    if (idle === undefined || idle.uses !== instance.uses) return;
    if (instance.mayRest(clock.date()) && !isObserved(instance) && (await instance.rest())) return;
    // It is asked again when as much time has passed.
    idle.since = clock.now();
  }
}
