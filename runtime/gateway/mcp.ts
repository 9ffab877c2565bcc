import type { McpHttpHandler, ServerContext } from '@modelcontextprotocol/server';
import type { Logger } from '../base/logger.ts';
import { version } from '../base/version.ts';
import type { AgentsSchemas } from './agents-schemas.ts';
import { HttpError } from './http-error.ts';
import type { Answer } from './kept-answers.ts';
import { McpCalls } from './mcp-calls.ts';
import { McpFlow } from './mcp-flow.ts';
import { withContent } from './mcp-content.ts';
import { toolsOf, type McpTool } from './mcp-tools.ts';
import { CarriedOver } from './put-off-asks.ts';
import type { Caller } from './token-access.ts';

/** A call of a tool, as the gateway asks an agent for it. */
export interface ToolAsk {
  readonly agent: string;
  readonly id: string;
  readonly event: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
  /** The key that the call brings, as it says it: it is done once, if it comes again with the same. */
  readonly key: unknown;
  /** Takes what the agent writes before its reply; undefined when nobody wants that. */
  readonly written: ((chunk: unknown) => Promise<void>) | undefined;
}

/** One request to the route, while it is answered. */
export interface McpExchange {
  readonly caller: Caller;
  readonly request: Request;
  /** The message, parsed. */
  readonly message: unknown;
  /** Asks the agent; rejects with {@link CarriedOver} when another process answers the request. */
  readonly ask: (ask: ToolAsk) => Promise<Answer>;
}

/** A call under way, as its handler knows it. */
interface Course extends McpExchange {
  readonly signal: AbortSignal;
  readonly flow: McpFlow;
  carried: CarriedOver | undefined;
}

/** The name under which a call may bring a key, in `_meta`. */
export const KEY = 'holdfast/idempotencyKey';
/** The name under which a failed call has its code, in `_meta`. */
const ERROR = 'holdfast/error';

/**
 * The MCP server of a gateway. It has no sessions: each request is answered by itself, in whichever process has the
 * instances, and by clients of both generations. The protocol's own code is loaded at the first request.
 */
export class McpServer {
  readonly #schemas: AgentsSchemas;
  readonly #logger: Logger;
  readonly #calls = new McpCalls();
  #handler: Promise<McpHttpHandler> | undefined;

  constructor(schemas: AgentsSchemas, logger: Logger) {
    this.#schemas = schemas;
    this.#logger = logger;
  }

  /** Answers a request; throws {@link CarriedOver} when another process answers it. */
  async answer(exchange: McpExchange): Promise<Response> {
    const { request, message, caller } = exchange;
    const handler = await (this.#handler ??= this.#load());
    if (message === undefined || Array.isArray(message))
      throw new HttpError(400, 'BAD_REQUEST', 'send one message in each request');
    const session = this.#calls.sessionOf(request, message);
    this.#calls.cancel(caller, session, message);
    const call = this.#calls.begin(caller, session, message, request.signal);
    const course: Course = { ...exchange, signal: call.signal, flow: new McpFlow(), carried: undefined };
    try {
      const authInfo = { token: '', clientId: caller.name, scopes: [...caller.allow], extra: { course } };
      const response = await handler.fetch(request, {
        authInfo,
        parsedBody: message,
      });
      // An answer to a client of the older generation is there before its content: nothing of it is given out before
      // it is known that this process answers.
      const begun = call.isCall ? await withContent(response, course.flow, call.end) : response;
      if (course.carried !== undefined) {
        void begun.body?.cancel().catch(() => {});
        throw course.carried;
      }
      return this.#calls.named(begun, session, message);
    } catch (error) {
      call.end();
      throw error;
    }
  }

  async #load(): Promise<McpHttpHandler> {
    const { createMcpHandler, ProtocolError, ProtocolErrorCode, Server } =
      await import('@modelcontextprotocol/server');
    return createMcpHandler(
      (context) => {
        const course = context.authInfo?.extra?.['course'] as Course;
        const server = new Server({ name: 'holdfast', version }, { capabilities: { tools: {} } });
        server.setRequestHandler('tools/list', async () => {
          const tools = await this.#tools(course.caller);
          return { tools: Array.from(tools.values(), ({ shown }) => shown) };
        });
        server.setRequestHandler('tools/call', async ({ params }, context) => {
          const tool = (await this.#tools(course.caller)).get(params.name);
          if (tool !== undefined) return called(tool, params.arguments ?? {}, course, context);
          throw new ProtocolError(ProtocolErrorCode.InvalidParams, `no tool "${params.name.slice(0, 64)}"`);
        });
        return server;
      },
      // Nothing is told of changes: the tools change with the process.
      {
        maxSubscriptions: 0,
        onerror: (error) => this.#logger.debug({ error }, 'a request to /mcp was refused'),
      },
    );
  }

  async #tools(caller: Caller): Promise<Map<string, McpTool>> {
    return toolsOf(await this.#schemas.of(caller));
  }
}

type Result = {
  readonly content: { readonly type: 'text'; readonly text: string }[];
  readonly structuredContent?: Record<string, unknown>;
  readonly isError?: true;
  readonly _meta?: Record<string, unknown>;
};

async function called(
  { agent, type, idKey }: McpTool,
  { [idKey]: id, ...fields }: Record<string, unknown>,
  course: Course,
  { mcpReq }: ServerContext,
): Promise<Result> {
  if (typeof id !== 'string' || id === '')
    return failed({
      code: 'BAD_REQUEST',
      message: `"${idKey}" has to be a text that names an instance`,
      retryable: false,
    });
  const signal = AbortSignal.any([course.signal, mcpReq.signal]);
  try {
    const event = { ...fields, type };
    const { status, body } = await course.ask({
      agent,
      id,
      event,
      signal,
      key: mcpReq._meta?.[KEY],
      written: progressOf(mcpReq, course.flow, signal),
    });
    const said = JSON.parse(body) as { readonly reply?: unknown; readonly error?: Failure };
    return status < 400 ? replied(said.reply) : failed(said.error as Failure);
  } catch (error) {
    if (!(error instanceof CarriedOver)) throw error;
    course.carried = error;
    return failed({ code: 'RESTARTING', message: 'another process answers', retryable: true });
  }
}

/** Tells the client what the agent writes, if the client wants to hear of progress. */
function progressOf(
  { _meta, notify }: ServerContext['mcpReq'],
  flow: McpFlow,
  signal: AbortSignal,
): ToolAsk['written'] {
  const progressToken = _meta?.progressToken;
  if (progressToken === undefined) return undefined;
  let progress = 0;
  return async (chunk) => {
    progress += 1;
    const message = typeof chunk === 'string' ? chunk : JSON.stringify(chunk);
    flow.wrote(message.length);
    await notify({ method: 'notifications/progress', params: { progressToken, progress, message } });
    await flow.room(signal);
  };
}

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
}

function replied(reply: unknown): Result {
  const text = typeof reply === 'string' ? reply : JSON.stringify(reply);
  const isObject = typeof reply === 'object' && reply !== null && !Array.isArray(reply);
  return {
    content: [{ type: 'text', text }],
    ...(isObject && { structuredContent: reply as Record<string, unknown> }),
  };
}

/** For a model as a text, for a program in `_meta`: the structured content is that of replies. */
function failed(error: Failure): Result {
  return {
    content: [{ type: 'text', text: `${error.code}: ${error.message}` }],
    isError: true,
    _meta: { [ERROR]: error },
  };
}
