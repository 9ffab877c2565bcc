import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { McpProgram, ResolvedMcpServer } from '../config/resolve.ts';
import type { OpenedTransport } from './connection.ts';
import { tellLines } from './server-lines.ts';

/** Runs the program of a server. What it prints to its error output goes to the log, line by line. */
export async function openStdio(
  agent: string,
  program: McpProgram,
  { name: server, maxResultBytes }: ResolvedMcpServer,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<OpenedTransport> {
  const { StdioTransport } = await import('./stdio-transport.ts');
  let how: string | undefined;
  const transport = new StdioTransport({
    program,
    maxResultBytes,
    started(process) {
      logger.debug({ agent, mcp: server, pid: process.pid }, 'an MCP server was started');
      tellLines(process.stderr, { clock, tell: (line) => logger.info({ agent, mcp: server }, line) });
      void process.ended.then((ended) => void (how = ended));
    },
    odd: (what) => logger.warn({ agent, mcp: server }, `an MCP server ${what}`),
  });
  const reason = (): string | undefined => transport.failure ?? how;
  return { transport, reason };
}
