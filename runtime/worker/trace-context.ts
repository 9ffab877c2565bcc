import type { TraceHeaders } from '../mailbox/trace.ts';
import { registered } from '../wire/otel-registry.ts';
import { threadState } from './thread-state.ts';

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
 * what it sends to others carries it on, in any case.
 */
export function inTrace<T>(headers: TraceHeaders | null, run: () => T): T {
  if (headers === null) return run();
  const state = threadState();
  state.trace = headers;
  try {
    const { context, propagation } = registered() ?? {};
    if (context === undefined || propagation === undefined) return run();
    return context.with(propagation.extract(context.active(), headers, getter), run);
  } finally {
    state.trace = undefined;
  }
}

/** The trace that what is sent now is a part of; undefined: none. */
export function currentTrace(): TraceHeaders | undefined {
  const { trace } = threadState();
  if (trace === undefined) return undefined;
  const { context, propagation } = registered() ?? {};
  if (context === undefined || propagation === undefined) return trace;
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers, setter);
  return Object.keys(headers).length === 0 ? trace : headers;
}
