import { AsyncLocalStorage } from 'node:async_hooks';
import type { TraceHeaders } from '../mailbox/trace.ts';
import { registered } from '../wire/otel-registry.ts';
import { threadState } from './thread-state.ts';

/**
 * Delayed events in a row that are of one trace: more tries than clients of HTTP services make by themselves (2 to 5), and few
 * enough that a machine which polls is not of the trace for ever that once started it.
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
 * Runs a turn as a part of a trace: spans that the agent starts in it are its children, if this thread has an SDK, and
 * what it sends to others carries it on, in any case. So does what the turn begins and that goes on after it.
 */
export function inTrace<T>(headers: TraceHeaders | null, run: () => T): T {
  if (headers === null) return run();
  const state = threadState();
  // The first one: nobody pays for it before.
  state.traces ??= new AsyncLocalStorage();
  state.outside ??= AsyncLocalStorage.snapshot();
  return state.traces.run({ headers, delays: 0 }, () => {
    const { context, propagation } = registered() ?? {};
    if (context === undefined || propagation === undefined) return run();
    return context.with(propagation.extract(context.active(), headers, getter), run);
  });
}

/** The trace that what is sent now is a part of; undefined: none. */
export function currentTrace(): TraceHeaders | undefined {
  const trace = threadState().traces?.getStore()?.headers;
  if (trace === undefined) return undefined;
  const { context, propagation } = registered() ?? {};
  if (context === undefined || propagation === undefined) return trace;
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers, setter);
  return Object.keys(headers).length === 0 ? trace : headers;
}

/** Runs what is of no trace, or of others than the one in which it is begun. */
export function outsideTraces(run: () => void): void {
  const { outside } = threadState();
  if (outside === undefined) run();
  else outside(run);
}

/** What goes on later with what is begun now; undefined: it is of no trace. */
export function continuation(): ((run: () => void) => void) | undefined {
  if (threadState().traces?.getStore() === undefined) return undefined;
  return AsyncLocalStorage.snapshot();
}

/** A delayed event is of the trace in which it was set, as a try anew is; one that sets itself anew ever again is not. */
export function delayed(run: () => void): () => void {
  const { traces, outside } = threadState();
  const trace = traces?.getStore();
  if (traces === undefined || trace === undefined) return run;
  if (trace.delays === DELAYS) return () => outside?.(run);
  const delays = trace.delays + 1;
  return traces.run({ ...trace, delays }, () => AsyncLocalStorage.bind(run));
}
