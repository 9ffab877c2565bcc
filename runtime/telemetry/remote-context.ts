import { context, propagation, ROOT_CONTEXT, trace, type Context } from '@opentelemetry/api';
import type { TraceHeaders } from '../mailbox/trace.ts';
import { registered } from '../wire/otel-registry.ts';
import { quietly } from './quietly.ts';

/** The context that W3C's header tells of, also where no propagator is registered; undefined: of none. */
export function contextOf({ traceparent = '' }: TraceHeaders): Context | undefined {
  const [, traceId, spanId, flags] =
    /^00-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})$/.exec(traceparent.trim()) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  const traceFlags = Number.parseInt(flags, 16);
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}

/**
 * Runs what a request asks for as a part of the trace that its headers tell of. Without an SDK, and where one has made a
 * span of the request already, nothing is done. `header` gives one by its name in lower case.
 */
export function inTraceOf<T>(header: (name: string) => string | undefined, run: () => T): T {
  if (registered()?.trace === undefined) return run();
  const found = quietly(() => contextFrom(header));
  return found === undefined ? run() : context.with(found, run);
}

function contextFrom(header: (name: string) => string | undefined): Context | undefined {
  if (trace.getSpanContext(context.active()) !== undefined) return undefined;
  const headers: Record<string, string> = {};
  for (const field of [...propagation.fields(), 'traceparent']) {
    const name = field.toLowerCase();
    const value = header(name);
    if (value !== undefined) headers[name] = value;
  }
  if (Object.keys(headers).length === 0) return undefined;
  const extracted = propagation.extract(context.active(), headers);
  return trace.getSpanContext(extracted) === undefined ? contextOf(headers) : extracted;
}
