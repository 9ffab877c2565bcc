import type { CallToolResult } from '@modelcontextprotocol/client';
import { HoldfastError } from '../base/errors.ts';
import { untilAborted } from '../base/until-aborted.ts';
import type { ResolvedMcpServer } from '../config/resolve.ts';
import type { Connection } from './connection.ts';
import {
  CUT_OFF,
  firstLine,
  mcpFailed,
  ownWithin,
  resultTooLarge,
  toolDenied,
  toolFailed,
  TOO_LARGE,
  type NamedTool,
  type Scrub,
} from './mcp-errors.ts';
import { outputOf, textOf } from './tool-output.ts';

export interface ToolCallOptions extends NamedTool {
  /** The arguments as JSON. */
  readonly args: string;
  readonly config: Pick<ResolvedMcpServer, 'maxResultBytes'>;
  readonly connection: Pick<Connection, 'need' | 'forgotten' | 'outdated'>;
  /** Takes the values of secrets out of what the server says. */
  readonly scrub: Scrub;
  /** Ends the call; its reason is the caller's error. */
  readonly signal: AbortSignal;
}

/** The most characters of what a server says that an error repeats. */
const REPEATED = 2000;
/** The longest timer: the call has a deadline of its own. */
const UNLIMITED_MS = 2 ** 31 - 1;

/** Calls a tool and resolves with its output. An abort tells the server that nobody waits any more. */
export async function callTool(options: ToolCallOptions): Promise<unknown> {
  const { server, tool, args, scrub } = options;
  const result = await answerOf(options, argumentsOf(args));
  if (result.isError === true) throw toolFailed({ server, tool }, textOf(result, scrub));
  return scrub(outputOf(result));
}

async function answerOf(
  options: ToolCallOptions,
  given: Record<string, unknown>,
  isSecond: boolean = false,
): Promise<CallToolResult> {
  const { server, tool, connection, signal } = options;
  const { client, tools, reason } = await untilAborted(signal, () => connection.need(tool));
  const toolDefinition = tools.get(tool);
  if (toolDefinition === undefined) throw toolDenied({ server, tool });
  try {
    const how = { signal, timeout: UNLIMITED_MS, toolDefinition };
    return await client.callTool({ name: tool, arguments: given }, how);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    // In both cases the server has not looked at the call.
    if (!isSecond && (connection.forgotten(client, error) || (await connection.outdated(client, error)))) {
      return answerOf(options, given, true);
    }
    throw ownError(error, options, reason());
  }
}

/** The arguments as an object; the thread has written them. */
function argumentsOf(args: string): Record<string, unknown> {
  try {
    const given: unknown = JSON.parse(args);
    if (typeof given === 'object' && given !== null && !Array.isArray(given)) return { ...given };
  } catch {
    // Said below.
  }
  throw new HoldfastError('OPTION_INVALID', 'The arguments of a tool have to be an object of JSON.');
}

/** An error of Holdfast's own: that of the client quotes what the server says, and has parts that no thread can take. */
function ownError(
  error: unknown,
  { server, tool, config, scrub }: ToolCallOptions,
  reason: string | undefined,
): HoldfastError {
  const named = { server, tool };
  const { name, code, message } = error as { name?: unknown; code?: unknown; message?: unknown };
  const own = ownWithin(error);
  if (own !== undefined) return own;
  if (code === TOO_LARGE) return resultTooLarge(named, config.maxResultBytes);
  // The server has answered, and it is the call that it refuses.
  if (name === 'ProtocolError' && code !== CUT_OFF) {
    return toolFailed(named, scrub(String(message)).slice(0, REPEATED));
  }
  const why = reason ?? firstLine(error, scrub);
  return mcpFailed(server, `failed in the call of its tool "${tool}", which it may have done or not: ${why}`);
}
