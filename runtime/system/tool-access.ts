import { HoldfastError } from '../base/errors.ts';
import type { ResolvedAgent } from '../config/resolve.ts';
import type { McpServers, McpServersOptions, ToolCallRecord } from '../mcp/mcp-servers.ts';
import type { Audit } from '../secrets/audit.ts';
import type { SecretsBroker } from '../secrets/broker.ts';
import { grantFetch } from '../secrets/grant-fetch.ts';
import type { MessageTelemetry } from '../telemetry/messages.ts';
import type { CallTool } from '../threads/tool-calls.ts';

/** The calls of tools that the host makes on behalf of instances; each begins and ends here. */
export function toolAccess(
  mcp: Pick<McpServers, 'call'>,
  messages: Pick<MessageTelemetry, 'toolCall'>,
): CallTool {
  return (user, request, signal, headers) =>
    messages.toolCall({ ...user, tool: request.tool, headers }, () => mcp.call(user, request, signal));
}

/** Puts calls that have ended into the audit trail. */
export function auditCalls(audit: () => Pick<Audit, 'record'>): (record: ToolCallRecord) => void {
  return ({ at, ms, server, tool, ...rest }) =>
    audit().record({
      ...rest,
      at: new Date(at).toISOString(),
      label: server,
      mode: 'tool',
      through: tool,
      ms: Math.max(0, Math.round(ms)),
    });
}

/**
 * Gives the connection of an agent to a server the grant that its config names, as an instance of its own in the audit
 * trail, since all instances of the agent share it.
 */
export function grantsOfServers(
  agents: ReadonlyMap<string, ResolvedAgent>,
  secrets: () => SecretsBroker,
): McpServersOptions['fetchWith'] {
  return (name, server, label) => {
    const agent = agents.get(name);
    const grant = agent?.grants.find((one) => one.label === label);
    if (agent === undefined || grant === undefined) {
      throw new HoldfastError('SECRET_NOT_GRANTED', `the agent "${name}" has no grant "${label}"`);
    }
    // No instance has such an address: a colon in the name of an agent is encoded there.
    const address = `mcp:${encodeURIComponent(name)}/${encodeURIComponent(server)}`;
    const caller = { address, incarnation: 1, pool: agent.threadId };
    secrets().open(caller, [grant], () => {});
    return grantFetch(secrets(), caller, label);
  };
}
