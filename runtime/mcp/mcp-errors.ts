import { HoldfastError } from '../base/errors.ts';

/** The code of the answer that stands in for one that was too large; no code of JSON-RPC or MCP. */
export const TOO_LARGE = -32_990;

/** The code of the answer that stands in for one that did not come to its end. */
export const CUT_OFF = -32_991;

/**
 * The error of Holdfast's own in what a client has thrown, if there is one. A connection that broke is none: it has the same
 * error with a secret and without.
 */
export function ownWithin(error: unknown): HoldfastError | undefined {
  const own = causesOf(error).find((one) => one instanceof HoldfastError);
  return own?.code === 'FETCH_FAILED' ? undefined : own;
}

/** Takes the values of secrets out of something. */
export type Scrub = <T>(found: T) => T;

/**
 * The first line of what an error says, or more where that ends with the begin of a list, with the code of the network where
 * one of its causes has one. It is cut when it is scrubbed: half of a value would not be found.
 */
export function firstLine(error: unknown, scrub: Scrub): string {
  const text = scrub(error instanceof Error ? error.message : String(error));
  const codes = causesOf(error).map((one) => (one as { readonly code?: unknown }).code);
  const network = codes.find((code) => typeof code === 'string' && /^(?:E[A-Z]+|UND_ERR_\w+)$/.test(code));
  const [first = ''] = text.split('\n', 1);
  const told = /[[{]$/.test(first) ? text.replaceAll(/\s+/g, ' ') : first;
  const line = told.slice(0, REPEATED).replace(/\.$/, '');
  return network === undefined || line.includes(network as string) ? line : `${line} (${network as string})`;
}

/** The error, and what has caused it, as far as that can be of interest. */
function causesOf(error: unknown, depth: number = 4): object[] {
  if (typeof error !== 'object' || error === null) return [];
  const { cause } = error as { readonly cause?: unknown };
  return depth === 0 ? [error] : [error, ...causesOf(cause, depth - 1)];
}

/** The most characters of what a server says that an error repeats. */
const REPEATED = 300;

/** A tool of a server, as an agent names both. */
export interface NamedTool {
  readonly server: string;
  readonly tool: string;
}

/** One answer to all that is not allowed, so that nobody can find out what there is. */
export function toolDenied({ server, tool }: NamedTool): HoldfastError {
  return new HoldfastError(
    'MCP_TOOL_DENIED',
    `The agent may not call the tool "${shown(tool)}" of the MCP server "${shown(server)}", or there is none of that name. ` +
      'List it under `mcp.<server>.tools.allow` of the agent, and see that the server has it.',
  );
}

/** The tool itself says that it failed; `text` is what it says. */
export function toolFailed({ server, tool }: NamedTool, text: string): HoldfastError {
  return new HoldfastError(
    'MCP_TOOL_FAILED',
    `The tool "${tool}" of the MCP server "${server}" failed: ${text}`,
  );
}

export function mcpFailed(server: string, what: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'MCP_FAILED',
    `The MCP server "${server}" ${what}. See its lines in the log, and try again if that is safe.`,
    cause === undefined ? undefined : { cause },
  );
}

export function mcpBusy(server: string, what: string): HoldfastError {
  return new HoldfastError('MCP_BUSY', `The MCP server "${server}" ${what}. Wait, and try again.`);
}

export function callTimedOut({ server, tool }: NamedTool, ms: number): HoldfastError {
  return new HoldfastError(
    'ASK_TIMEOUT',
    `The call of the tool "${tool}" of the MCP server "${server}" did not end within ${ms} ms and was cancelled. ` +
      'Raise `timeoutMs` of the server, or have the tool do less.',
  );
}

export function argumentsTooLarge({ server, tool }: NamedTool, most: number): HoldfastError {
  return new HoldfastError(
    'MESSAGE_TOO_LARGE',
    `The arguments of the tool "${tool}" of the MCP server "${server}" have more than ${most} bytes. Send less, or raise ` +
      '`maxArgumentBytes` of the server.',
  );
}

export function resultTooLarge({ server, tool }: NamedTool, most: number): HoldfastError {
  return new HoldfastError(
    'MESSAGE_TOO_LARGE',
    `The answer of the tool "${tool}" of the MCP server "${server}" has more than ${most} bytes. Ask for less, or raise ` +
      '`maxResultBytes` of the server.',
  );
}

/** The most characters of a name that an error repeats. */
const SHOWN = 100;

/** A name that an agent gave, which may be anything. */
function shown(name: string): string {
  return name.length > SHOWN ? `${name.slice(0, SHOWN)}…` : name;
}
