import type { SupervisorEvent } from '../../actors/supervisor.ts';
import { within, type Clock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import type { ResolvedAgent, ResolvedPool } from '../config/resolve.ts';
import type { Visit } from '../threads/visit.ts';
import { agentSchemasIn, type AgentSchemas } from '../wire/agent-schemas.ts';

export interface SchemaVisitsOptions {
  readonly clock: Clock;
  readonly poolOf: (threadId: string) => ResolvedPool;
  readonly tell: (event: SupervisorEvent) => void;
}

/**
 * The JSON Schemas of agents. Their modules are loaded where the agents run, in a thread of their pool, which is started
 * for it when there is none, and never in the host. They are asked for at the first need, and once.
 */
export class SchemaVisits {
  readonly #options: SchemaVisitsOptions;
  readonly #known = new Map<ResolvedAgent, Promise<AgentSchemas>>();
  /** The visits that have no place yet, by the address under which they wait for one. */
  readonly #waiting = new Map<string, Visit>();
  #last = 0;

  constructor(options: SchemaVisitsOptions) {
    this.#options = options;
  }

  /** Resolves with the schemas of an agent; `{}` when its module exports none. Rejects when it cannot be loaded. */
  of(agent: ResolvedAgent): Promise<AgentSchemas> {
    const known = this.#known.get(agent);
    if (known !== undefined) return known;
    const found = this.#visit(agent);
    this.#known.set(agent, found);
    found.catch(() => this.#known.delete(agent));
    return found;
  }

  /** The visit that waits for a place under this address, once. */
  take(address: string): Visit | undefined {
    const visit = this.#waiting.get(address);
    this.#waiting.delete(address);
    return visit;
  }

  /** There is no place for a visit. */
  refused(address: string, error: unknown): void {
    this.take(address)?.failed(error);
  }

  async #visit({ name, threadId, moduleUrl, exportName }: ResolvedAgent): Promise<AgentSchemas> {
    const { clock, poolOf, tell } = this.#options;
    const { startTimeoutMs } = poolOf(threadId);
    this.#last += 1;
    // No address of an instance: those have neither a space nor more than one slash.
    const address = `the schemas of ${name}, ${this.#last}`;
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(address, {
        method: 'schemas',
        args: [moduleUrl, exportName, name],
        fits: isAnswer,
        answered: resolve,
        failed: reject,
      });
    });
    tell({ type: 'instance.place', address, threadId });
    const late = (): Error =>
      new HoldfastError('THREAD_START_TIMEOUT', `${name} told no schemas within ${startTimeoutMs} ms`);
    try {
      const text = await within(clock, startTimeoutMs, answer, late);
      return text === undefined ? {} : (agentSchemasIn(text) as AgentSchemas);
    } finally {
      this.#waiting.delete(address);
    }
  }
}

function isAnswer(answer: unknown): answer is unknown {
  return answer === undefined || agentSchemasIn(answer) !== undefined;
}
