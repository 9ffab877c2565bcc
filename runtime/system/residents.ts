import type { Clock } from '../base/clock.ts';
import type { ResolvedAgent, ResolvedPool } from '../config/resolve.ts';
import type { Instance } from '../instance/instance.ts';
import { Household } from './household.ts';
import type { ResidentCounts } from '../telling/status.ts';
import { ResidentPool } from './resident-pool.ts';

export interface ResidentsOptions {
  readonly clock: Clock;
  readonly poolOf: (threadId: string) => Pick<ResolvedPool, 'maxResident'>;
  /** Whether somebody observes the reference of the instance. */
  readonly isObserved: (instance: Instance) => boolean;
  readonly warn: (fields: object, message: string) => void;
}

/** The instances in memory that may leave it: those that have had nothing to do for long, or whose pool is full. */
export class Residents {
  readonly #options: ResidentsOptions;
  /** By agent, where time counts. */
  readonly #households = new Map<string, Household>();
  /** By `threadId`, where instances may leave at all. */
  readonly #pools = new Map<string, ResidentPool>();

  constructor(options: ResidentsOptions) {
    this.#options = options;
  }

  /** Whether durable instances of the agent leave memory. */
  canLeave({ threadId, passivateAfterMs = 0, supervision }: ResolvedAgent): boolean {
    if ((supervision.strategy ?? 'one-for-one') !== 'one-for-one') return false;
    return passivateAfterMs > 0 || this.#options.poolOf(threadId).maxResident !== undefined;
  }

  /** The instance is in memory. */
  came(instance: Instance): void {
    const { agent, continuation } = instance;
    const canLeave = this.canLeave(agent) && continuation.durable;
    const pool = this.#pools.get(agent.threadId) ?? this.#opened(agent);
    pool?.came(instance, canLeave);
    if (!canLeave || agent.passivateAfterMs === undefined) return;
    let household = this.#households.get(agent.name);
    if (household === undefined) {
      const { clock } = this.#options;
      household = new Household({ afterMs: agent.passivateAfterMs, clock, leave: this.#leave });
      this.#households.set(agent.name, household);
    }
    household.came(instance);
  }

  /** The instance is not in memory any more; `passive`: it comes back. */
  left(instance: Instance, passive: boolean): void {
    const { name, threadId } = instance.agent;
    this.#households.get(name)?.left(instance);
    this.#pools.get(threadId)?.left(instance, passive);
  }

  /** An instance of the pool is passive no more. */
  woke({ agent }: Instance): void {
    this.#pools.get(agent.threadId)?.woke();
  }

  /** Makes room for an instance that somebody waits for; `undefined` when there is room, or none is needed. */
  room(instance: Instance): Promise<void> | undefined {
    return this.#pools.get(instance.agent.threadId)?.room(instance);
  }

  /** Whether there is room for one more that nobody waits for, or some was made. */
  spare(threadId: string): Promise<boolean> | boolean {
    return this.#pools.get(threadId)?.spare() ?? true;
  }

  counts(threadId: string): ResidentCounts | undefined {
    return this.#pools.get(threadId)?.counts;
  }

  #opened(agent: ResolvedAgent): ResidentPool | undefined {
    const { clock, poolOf, warn } = this.#options;
    const { threadId } = agent;
    if (!this.canLeave(agent) && poolOf(threadId).maxResident === undefined) return undefined;
    const most = (): number | undefined => poolOf(threadId).maxResident;
    const mayLeave = (instance: Instance): boolean => this.#mayLeave(instance);
    const pool = new ResidentPool({ threadId, most, mayLeave, clock, warn });
    this.#pools.set(threadId, pool);
    return pool;
  }

  #mayLeave(instance: Instance): boolean {
    const { clock, isObserved } = this.#options;
    return instance.mayRest(clock.date()) && !isObserved(instance);
  }

  readonly #leave = async (instance: Instance): Promise<boolean> =>
    this.#mayLeave(instance) && instance.rest();
}
