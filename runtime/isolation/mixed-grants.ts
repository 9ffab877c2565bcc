import type { ResolvedAgent } from '../config/resolve.ts';

/** Agents that share threads, and with them their grants and tools, though the config gives them different ones. */
export interface MixedGrants {
  readonly threadId: string;
  readonly agents: readonly string[];
  readonly what: 'grants' | 'MCP tools';
}

/** The pools in which an agent can use a secret, or call a tool, that only another one may. */
export function mixedGrants(agents: readonly ResolvedAgent[]): MixedGrants[] {
  const pools = Map.groupBy(agents, ({ threadId }) => threadId);
  return [...pools].flatMap(([threadId, members]) => {
    const named = { threadId, agents: members.map(({ name }) => name) };
    const mixed: MixedGrants[] = [];
    if (new Set(members.map(grantsOf)).size > 1) mixed.push({ ...named, what: 'grants' });
    if (new Set(members.map(toolsOf)).size > 1) mixed.push({ ...named, what: 'MCP tools' });
    return mixed;
  });
}

export function mixedGrantsText({ threadId, agents, what }: MixedGrants): string {
  const names = agents.map((name) => `"${name}"`).join(', ');
  return (
    `${names} have different ${what} in one pool, "${threadId}", where each can use those of the others; ` +
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

/** By what may be called where; what an agent calls a server makes no difference, nor do its bounds. */
function toolsOf({ mcp = [] }: ResolvedAgent): string {
  return JSON.stringify(mcp.map(({ at, tools }) => JSON.stringify([at, tools])).toSorted());
}
