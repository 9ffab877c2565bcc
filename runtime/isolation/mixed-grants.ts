import type { ResolvedAgent } from '../config/resolve.ts';

/** Agents that share threads, and with them their grants, though the config grants them different things. */
export interface MixedGrants {
  readonly threadId: string;
  readonly agents: readonly string[];
}

/** The pools in which an agent can use what only another one is granted. */
export function mixedGrants(agents: readonly ResolvedAgent[]): MixedGrants[] {
  const pools = Map.groupBy(agents, ({ threadId }) => threadId);
  return [...pools].flatMap(([threadId, members]) => {
    const different = new Set(members.map(grantsOf)).size > 1;
    return different ? [{ threadId, agents: members.map(({ name }) => name) }] : [];
  });
}

export function mixedGrantsText({ threadId, agents }: MixedGrants): string {
  const names = agents.map((name) => `"${name}"`).join(', ');
  return (
    `${names} have different grants in one pool, "${threadId}", where each can use those of the others; ` +
    'give them threadIds of their own'
  );
}

/** By what may be done with which secret; what an agent calls it makes no difference. */
function grantsOf({ grants }: ResolvedAgent): string {
  const all = grants.map(({ provider, id, jsonKey, stage, role, mode, capabilities, inject }) =>
    JSON.stringify([provider, id, jsonKey, stage, role, mode, capabilities.toSorted(), inject]),
  );
  return JSON.stringify(all.toSorted());
}
