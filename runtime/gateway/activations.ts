import type { Runtime } from '../runtime.ts';
import { addressOf } from '../address.ts';
import { HttpError } from './http-error.ts';
import { type Caller, may } from './token-access.ts';

/** Instances that a token has started by sending to them, for another process. */
export type HandedActivations = readonly (readonly [token: string, addresses: readonly string[]])[];

/**
 * Starts instances for those who send to them, or listen to them: whoever may `send` there, or `manage` them. A token that may not
 * `manage` has so many of them at a time at most.
 */
export class Activations {
  readonly #runtime: Pick<Runtime, 'get' | 'getOrSpawn'>;
  readonly #most: () => number;
  /** By token: what it has started and is there, or was when somebody last looked. */
  readonly #started: Map<string, Set<string>>;
  readonly #starting = new Set<string>();

  /** `most` is read for each start. */
  constructor(
    runtime: Pick<Runtime, 'get' | 'getOrSpawn'>,
    most: () => number,
    handed: HandedActivations = [],
  ) {
    this.#runtime = runtime;
    this.#most = most;
    this.#started = new Map(handed.map(([token, addresses]) => [token, new Set(addresses)]));
  }

  /**
   * The instance, started when there is none.
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
    if (manages || this.#isThere(address)) return this.#runtime.getOrSpawn(agent, id);
    const started = this.#ofToken(caller.name);
    started.add(address);
    this.#starting.add(address);
    try {
      return await this.#runtime.getOrSpawn(agent, id);
    } finally {
      this.#starting.delete(address);
      if (!this.#isThere(address)) started.delete(address);
    }
  }

  handOver(): HandedActivations {
    return Array.from(this.#started, ([token, addresses]) => [token, [...addresses]] as const);
  }

  #isThere(address: string): boolean {
    return this.#starting.has(address) || this.#runtime.get(address) !== undefined;
  }

  /** With room for one more. */
  #ofToken(token: string): Set<string> {
    let started = this.#started.get(token);
    if (started === undefined) this.#started.set(token, (started = new Set()));
    const most = this.#most();
    if (started.size < most) return started;
    for (const address of started) if (!this.#isThere(address)) started.delete(address);
    if (started.size < most) return started;
    const message =
      `this token has started ${started.size} instances that are there, by ?activate=true; that is as many as ` +
      'gateway.limits.activatedInstances allows. Stop some, raise it, or start them with PUT and a token that allows manage';
    throw new HttpError(429, 'LIMIT_REACHED', message, 1);
  }
}
