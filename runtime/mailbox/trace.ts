/** What the sender's propagator wrote: W3C's `traceparent`, and what else its SDK is set up for. */
export type TraceHeaders = Readonly<Record<string, string>>;

/** What travels with an envelope whose way is watched; of most envelopes nobody does. */
export interface Trace {
  /** Null: the time alone is of interest. */
  readonly headers: TraceHeaders | null;
  /** Milliseconds of the host's clock. */
  readonly sentAt: number;
  /** Whether the host is to be told when it was handled. */
  readonly told: boolean;
}

/** Few and short: they come with many envelopes, and from threads. */
const mostHeaders = 8;
const longestHeader = 8192;

export function isTrace({ headers, sentAt }: Trace): boolean {
  return typeof sentAt === 'number' && (headers === null || isHeaders(headers));
}

/** Whether somebody records the trace. */
export function isSampled({ traceparent = '' }: TraceHeaders): boolean {
  return (Number.parseInt(traceparent.slice(-2), 16) & 1) === 1;
}

export function isHeaders(headers: unknown): headers is TraceHeaders {
  if (typeof headers !== 'object' || headers === null) return false;
  const values: unknown[] = Object.values(headers);
  return (
    values.length <= mostHeaders &&
    values.every((value) => typeof value === 'string' && value.length <= longestHeader)
  );
}
