import { AsyncLocalStorage } from 'node:async_hooks';
import type { TraceHeaders } from '../mailbox/trace.ts';
import { registered } from '../wire/otel-registry.ts';
import { threadState } from './thread-state.ts';

/**
 * The most delayed events in a row that belong to one trace: more tries than clients of HTTP services make by
 * themselves (2 to 5), and few enough that a machine which polls does not stay in the trace that once started it.
 */
const DELAYS = 10;

const getter = {
  get: (headers: Record<string, string>, name: string) => headers[name],
  keys: (headers: object) => Object.keys(headers),
};
const setter = {
  set(headers: Record<string, string>, name: string, value: string) {
    headers[name] = value;
  },
};

/**
 * Runs a turn as a part of a trace: spans that the agent starts in it are children of the trace, if this thread has an
 * SDK, and the messages of the agent carry the trace on in any case. The same holds for work that the turn begins and
 * that goes on after it.
 */
export function inTrace<T>(headers: TraceHeaders | null, run: () => T): T {
  if (headers === null) return run();
  const state = threadState();
  // Made with the first trace, so that nobody pays for it before.
  state.traces ??= new AsyncLocalStorage();
  return state.traces.run({ headers, delays: 0 }, () => {
    const { context, propagation } = registered() ?? {};
    if (context === undefined || propagation === undefined) return run();
    return context.with(propagation.extract(context.active(), headers, getter), run);
  });
}

/** The trace for messages sent now; undefined when there is none. */
export function currentTrace(): TraceHeaders | undefined {
  const trace = threadState().traces?.getStore()?.headers;
  if (trace === undefined) return undefined;
  const { context, propagation } = registered() ?? {};
  if (context === undefined || propagation === undefined) return trace;
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers, setter);
  return Object.keys(headers).length === 0 ? trace : headers;
}

/** The id of the trace that the running turn belongs to, 32 hexadecimal digits; undefined when there is none. */
export function runningTraceId(): string | undefined {
  const { traceparent } = threadState().traces?.getStore()?.headers ?? {};
  const [, id = ''] = traceparent?.split('-', 2) ?? [];
  return id.length === 32 ? id : undefined;
}

/** Runs work that belongs to no trace and no instance, or to others than the current ones. */
export function outsideAll(run: () => void): void {
  const { outside, traces, origin } = threadState();
  const isOutside = traces?.getStore() === undefined && origin?.getStore() === undefined;
  if (isOutside || outside === undefined) run();
  else outside(run);
}

/** Captures the current trace for work that is begun now and goes on later; undefined when there is none. */
export function continuation(): ((run: () => void) => void) | undefined {
  if (threadState().traces?.getStore() === undefined) return undefined;
  return AsyncLocalStorage.snapshot();
}

/**
 * Runs a delayed event in the trace in which it was set, such as a retry; a delay that sets itself again and again
 * leaves the trace.
 */
export function delayed(run: () => void): () => void {
  const { traces, outside } = threadState();
  const trace = traces?.getStore();
  if (traces === undefined || trace === undefined) return run;
  if (trace.delays === DELAYS) return () => outside?.(run);
  const delays = trace.delays + 1;
  return traces.run({ ...trace, delays }, () => AsyncLocalStorage.bind(run));
}
