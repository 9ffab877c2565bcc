/** The headers that the sender's propagator wrote: W3C's `traceparent`, and whatever else its SDK is set up for. */
export type TraceHeaders = Readonly<Record<string, string>>;

/** The trace of an envelope that is watched; most envelopes have none. */
export interface Trace {
  /** Null: only the times are wanted. */
  readonly headers: TraceHeaders | null;
  /** Milliseconds of the host's clock. */
  readonly sentAt: number;
  /** Whether to tell the host when the envelope was handled. */
  readonly told: boolean;
  /** The address of the agent that sent the envelope by way of the host. */
  readonly from?: string | undefined;
}

/** Headers are few and short, because they come with many envelopes, and from threads. */
const mostHeaders = 8;
const longestHeader = 8192;

export function isTrace({ headers, sentAt }: Trace): boolean {
  return typeof sentAt === 'number' && (headers === null || isHeaders(headers));
}

/** Whether the trace is recorded. */
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
