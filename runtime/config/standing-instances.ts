import { addressOf } from '../base/address.ts';
import type { ResolvedAgent } from './resolve.ts';

/** An instance that the config lists: it is there as long as the runtime is, unless it ends. */
export interface StandingInstance {
  readonly agent: string;
  readonly id: string;
  readonly address: string;
  readonly input: unknown;
}

/** In the order of the config, which is that of their starts. */
export function standingInstances(agents: readonly ResolvedAgent[]): StandingInstance[] {
  return agents.flatMap(({ name: agent, instances = [] }) =>
    instances.map(({ id, input }) => ({ agent, id, address: addressOf(agent, id), input })),
  );
}
