import type { Logger } from '../base/logger.ts';
import type { AgentSchemas, ServedSystem } from '../runtime.ts';
import { type Caller, may } from './token-access.ts';

/** What agents accept and reply, for those who may send to them. */
export class AgentsSchemas {
  readonly #system: Pick<ServedSystem, 'agents' | 'schemas'>;
  readonly #logger: Logger;

  constructor(system: Pick<ServedSystem, 'agents' | 'schemas'>, logger: Logger) {
    this.#system = system;
    this.#logger = logger;
  }

  /** The schemas of the agents that the caller may send to. Of an agent that cannot be loaded nothing is known. */
  async of(caller: Caller): Promise<Map<string, AgentSchemas>> {
    const allowed = this.#system.agents.filter((agent) => may(caller, 'send', agent));
    return new Map(
      await Promise.all(allowed.map(async (agent) => [agent, await this.#schemas(agent)] as const)),
    );
  }

  async #schemas(agent: string): Promise<AgentSchemas> {
    try {
      return await this.#system.schemas(agent);
    } catch (error) {
      this.#logger.warn(
        { agent, error },
        'what an agent accepts is not known, because its module cannot be loaded',
      );
      return {};
    }
  }
}
