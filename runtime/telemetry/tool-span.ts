import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Span } from '@opentelemetry/api';
import type { TraceHeaders } from '../mailbox/trace.ts';
import { registered } from '../wire/otel-registry.ts';
import { ADDRESS, AGENT, agentNameAt, ERROR_TYPE, errorType, POOL, SCOPE } from './attributes.ts';
import { GEN_AI_AGENT, GEN_AI_OPERATION, GEN_AI_TOOL, GEN_AI_TOOL_TYPE } from './gen-ai.ts';
import { quietly } from './quietly.ts';
import { contextOf } from './remote-context.ts';
import type { SecretSpanOptions } from './secret-span.ts';

/** A call of a tool of an MCP server; the names come from a thread. */
export interface ToolCall {
  readonly address: string;
  readonly pool: string;
  readonly tool: string;
  /** The trace that it is a part of. */
  readonly headers: TraceHeaders | undefined;
}

const OPERATION = 'execute_tool';

/**
 * Runs a call of a tool in a span of its own. It names the tool when there is one of that name that the agent may call: a
 * thread may ask for anything. It tells neither arguments nor result.
 */
export async function inToolSpan<T>(
  call: ToolCall,
  options: SecretSpanOptions,
  run: () => Promise<T>,
): Promise<T> {
  if (registered()?.trace === undefined) return run();
  const span = quietly(() => begin(call, options));
  if (span === undefined) return run();
  try {
    const result = await run();
    quietly(() => name(span, call.tool));
    return result;
  } catch (error) {
    quietly(() => {
      const type = errorType(error);
      if (type === 'MCP_TOOL_FAILED') name(span, call.tool);
      span.setAttribute(ERROR_TYPE, type).setStatus({ code: SpanStatusCode.ERROR });
    });
    throw error;
  } finally {
    quietly(() => span.end());
  }
}

function begin(
  { address, pool, headers }: ToolCall,
  { version, agentAt, scrubText }: SecretSpanOptions,
): Span {
  const agent = agentNameAt(address, agentAt);
  const attributes = {
    [GEN_AI_OPERATION]: OPERATION,
    [GEN_AI_TOOL_TYPE]: 'extension',
    [GEN_AI_AGENT]: agent,
    [AGENT]: agent,
    [POOL]: pool,
    [ADDRESS]: scrubText(address),
  };
  const parent = (headers && contextOf(headers)) ?? ROOT_CONTEXT;
  return trace
    .getTracer(SCOPE, version)
    .startSpan(OPERATION, { kind: SpanKind.INTERNAL, attributes }, parent);
}

function name(span: Span, tool: string): void {
  span.updateName(`${OPERATION} ${tool}`).setAttribute(GEN_AI_TOOL, tool);
}
