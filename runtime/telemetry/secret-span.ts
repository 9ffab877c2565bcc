import {
  context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
} from '@opentelemetry/api';
import type { TraceHeaders } from '../mailbox/trace.ts';
import type { Caller } from '../secrets/secret-use.ts';
import type { SecretUseName } from '../wire/protocol.ts';
import { registered } from '../wire/otel-registry.ts';
import {
  ADDRESS,
  AGENT,
  agentNameAt,
  CAPABILITY,
  ERROR_TYPE,
  errorType,
  HTTP_METHOD,
  HTTP_STATUS,
  POOL,
  SCOPE,
  SERVER,
  SERVER_PORT,
  URL_SCHEME,
  type AgentAt,
} from './attributes.ts';
import { quietly } from './quietly.ts';
import { contextOf } from './remote-context.ts';

export interface SecretSpanOptions {
  readonly version: string;
  readonly agentAt: AgentAt;
  readonly scrubText: (text: string) => string;
}

/** What an instance has the host do with a secret; all but the caller comes from a thread. */
export interface SecretRequest {
  readonly caller: Caller;
  readonly use: SecretUseName;
  readonly input: unknown;
  /** The trace that it is a part of. */
  readonly headers: TraceHeaders | undefined;
}

/**
 * Runs a request with a secret, or a capability, in a span of its own. Of the request it tells method, host and status, and
 * those only as the grants of the agent have them: a path or a query may be a secret, and a thread may ask for anything. It
 * is below `parent`, or the trace of the request.
 */
export async function inSecretSpan<T>(
  request: SecretRequest,
  options: SecretSpanOptions,
  run: () => Promise<T>,
  parent?: Context,
): Promise<T> {
  const isTold = isRequest(request.use) || request.use === 'capability';
  if (!isTold || registered()?.trace === undefined) return run();
  const begun = quietly(() => begin(request, options, parent));
  if (begun === undefined) return run();
  const { span, within } = begun;
  try {
    const result = await context.with(within, run);
    quietly(() => {
      const status = isRequest(request.use) ? (result as { status?: unknown })?.status : undefined;
      if (typeof status !== 'number') return;
      span.setAttribute(HTTP_STATUS, status);
      // As the conventions have it for a client.
      if (status >= 400)
        span.setAttribute(ERROR_TYPE, String(status)).setStatus({ code: SpanStatusCode.ERROR });
    });
    return result;
  } catch (error) {
    quietly(() => span.setAttribute(ERROR_TYPE, errorType(error)).setStatus({ code: SpanStatusCode.ERROR }));
    throw error;
  } finally {
    quietly(() => span.end());
  }
}

function begin(
  request: SecretRequest,
  { version, agentAt, scrubText }: SecretSpanOptions,
  above: Context | undefined,
) {
  const { caller, headers } = request;
  const { name, attributes } = isRequest(request.use)
    ? ofFetch(request, agentAt)
    : ofCapability(request, agentAt);
  const parent = above ?? (headers && contextOf(headers)) ?? ROOT_CONTEXT;
  const span = trace.getTracer(SCOPE, version).startSpan(
    name,
    {
      kind: SpanKind.CLIENT,
      attributes: {
        [AGENT]: agentNameAt(caller.address, agentAt),
        [POOL]: caller.pool,
        [ADDRESS]: scrubText(caller.address),
        ...attributes,
      },
    },
    parent,
  );
  return { span, within: trace.setSpan(parent, span) };
}

function isRequest(use: SecretUseName): boolean {
  return use === 'fetch' || use === 'stream';
}

interface Told {
  readonly name: string;
  readonly attributes: Attributes;
}

function ofFetch({ caller, input }: SecretRequest, agentAt: AgentAt): Told {
  const { url: asked, method = 'GET' } = (input ?? {}) as {
    readonly url?: unknown;
    readonly method?: unknown;
  };
  const rules = agentAt(caller.address)?.grants.flatMap(({ inject }) => inject ?? []) ?? [];
  const url = typeof asked === 'string' ? URL.parse(asked) : null;
  const granted = rules.filter(({ origins }) => url !== null && origins.includes(url.origin));
  const isMethod = typeof method === 'string' && granted.some(({ methods }) => methods.includes(method));
  const attributes: Attributes = isMethod ? { [HTTP_METHOD]: method } : {};
  if (url !== null && granted.length > 0) {
    attributes[URL_SCHEME] = url.protocol.slice(0, -1);
    attributes[SERVER] = url.hostname;
    attributes[SERVER_PORT] = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  }
  return { name: isMethod ? method : 'HTTP', attributes };
}

function ofCapability({ caller, input }: SecretRequest, agentAt: AgentAt): Told {
  const { name } = (input ?? {}) as { readonly name?: unknown };
  const grants = agentAt(caller.address)?.grants ?? [];
  const isGranted =
    typeof name === 'string' && grants.some(({ capabilities }) => capabilities.includes(name));
  return isGranted
    ? { name: `capability ${name}`, attributes: { [CAPABILITY]: name } }
    : { name: 'capability', attributes: {} };
}
