import { type ActivatedBy, ActivationLimit } from '../base/activation-limit.ts';
import { addressOf } from '../base/address.ts';
import type { Runtime } from '../runtime.ts';
import { HttpError } from './http-error.ts';
import { type Caller, may } from './token-access.ts';

/** Instances that a token has started by sending to them, as they go to another process. */
export type HandedActivations = ActivatedBy;

/**
 * Starts instances for callers that send or listen to them and that may `send` there, or `manage` them. A token that
 * may not `manage` has at most so many of them at a time.
 */
export class Activations {
  readonly #runtime: Pick<Runtime, 'get' | 'getOrSpawn'>;
  readonly #most: () => number;
  readonly #limit: ActivationLimit;
  /** Those that were started on other nodes of a cluster, which do not tell when they end: they count until the next process. */
  readonly #away = new Set<string>();

  readonly #isAway: (address: string) => boolean;

  /** `most` is read at each start. `isAway`: whether an address is another node's; default: none is. */
  constructor(
    runtime: Pick<Runtime, 'get' | 'getOrSpawn'>,
    most: () => number,
    handed: HandedActivations = [],
    isAway: (address: string) => boolean = () => false,
  ) {
    this.#runtime = runtime;
    this.#most = most;
    const isHere = (address: string): boolean => !isAway(address) && runtime.get(address) !== undefined;
    this.#limit = new ActivationLimit((address) => this.#away.has(address) || isHere(address), handed);
    this.#isAway = isAway;
  }

  /**
   * Returns the instance, and starts it when there is none.
   *
   * @throws {HttpError} 403 when the caller may neither send there nor manage, 429 when they have started too many
   */
  async instance(caller: Caller, agent: string, id: string) {
    const manages = may(caller, 'manage', agent);
    if (!manages && !may(caller, 'send', agent)) {
      const message = `?activate=true needs a token that allows send or manage for the agent ${agent}`;
      throw new HttpError(403, 'FORBIDDEN', message);
    }
    const address = addressOf(agent, id);
    const start = async () => {
      const ref = await this.#runtime.getOrSpawn(agent, id);
      if (!manages && this.#isAway(address)) this.#away.add(address);
      return ref;
    };
    if (manages) return start();
    return this.#limit.start(caller.name, address, this.#most(), start, tooMany);
  }

  handOver(): HandedActivations {
    return this.#limit.all();
  }
}

function tooMany(count: number): HttpError {
  const message =
    `this token has started ${count} instances that exist, by ?activate=true; that is as many as ` +
    'gateway.limits.activatedInstances allows. Stop some, raise it, or start them with PUT and a token that allows manage';
  return new HttpError(429, 'LIMIT_REACHED', message);
}
