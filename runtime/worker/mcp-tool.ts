import { fromPromise, type PromiseActorLogic } from 'xstate';
import { checkCall, name, type Rule } from '../base/call-check.ts';
import { HoldfastError } from '../base/errors.ts';
import { threadState } from './thread-state.ts';

/** A part of what a tool of an MCP server answers, such as `{ type: 'text', text: '…' }`. */
export interface McpContent {
  /** `text`, `image`, `audio`, `resource_link` or `resource`. */
  readonly type: string;
  /** Of `text`. */
  readonly text?: string;
  /** Of `image` and `audio`: base64. */
  readonly data?: string;
  readonly mimeType?: string;
  readonly [key: string]: unknown;
}

/**
 * Actor logic that has the host call a tool of an MCP server, with the input as its arguments, and outputs what the tool
 * answers: its structured content when there is some, else its content, a list of {@link McpContent}. `server` is a key
 * of `mcp` in the agent's config, which also says which tools it may call. Leaving the state that invoked it cancels the
 * call. Fails with `MCP_TOOL_FAILED` (the tool says so; the message has its text), `MCP_TOOL_DENIED`, `MCP_FAILED` (the
 * server cannot be reached, or ended), `MCP_BUSY`, `MESSAGE_TOO_LARGE`, `MESSAGE_UNCLONABLE` (the arguments are no
 * JSON), or `ASK_TIMEOUT` after the server's `timeoutMs`.
 *
 * @example
 * ```ts
 * setup({ actors: { search: mcpTool<{ hits: string[] }>('docs', 'search') } }).createMachine({
 *   invoke: { src: 'search', input: ({ context }) => ({ query: context.question }), onDone: … },
 * });
 * ```
 */
export function mcpTool<
  TResult = readonly McpContent[],
  TArguments extends object | undefined = object | undefined,
>(server: string, tool: string): PromiseActorLogic<TResult, TArguments> {
  checkCall('mcpTool()', { server: [server, name], tool: [tool, name] });
  const what = `mcpTool "${tool}" of "${server}"`;
  return fromPromise<TResult, TArguments>(async ({ input, system, signal }) => {
    checkCall(what, { input: [input, someArguments] });
    const bridge = threadState().bridges.get(system);
    if (bridge === undefined) {
      throw new HoldfastError(
        'MCP_TOOL_DENIED',
        `${what} was used outside a Holdfast thread; provide another actor for it in tests`,
      );
    }
    return (await bridge.callTool(server, tool, asJson(what, input ?? {}), signal)) as TResult;
  });
}

const someArguments: Rule = {
  what: 'an object: the arguments of the tool',
  is: (value) =>
    value === undefined || (typeof value === 'object' && value !== null && !Array.isArray(value)),
};

function asJson(what: string, input: object): string {
  let cause: unknown;
  try {
    const json = JSON.stringify(input) as string | undefined;
    if (json !== undefined) return json;
  } catch (error) {
    cause = error;
  }
  const advice = 'keep out what refers to itself, and large integers (BigInt)';
  throw new HoldfastError('MESSAGE_UNCLONABLE', `the arguments of ${what} are no JSON: ${advice}`, { cause });
}
