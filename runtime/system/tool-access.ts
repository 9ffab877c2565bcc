import type { McpServers, ToolCallRecord } from '../mcp/mcp-servers.ts';
import type { Audit } from '../secrets/audit.ts';
import type { CallTool } from '../threads/tool-calls.ts';

/** The calls of tools that the host makes on behalf of instances; each begins and ends here. */
export function toolAccess(mcp: Pick<McpServers, 'call'>): CallTool {
  return (user, request, signal) => mcp.call(user, request, signal);
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
