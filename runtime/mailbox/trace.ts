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
  /** The thread is to know when it was sent, although nobody is told when it was handled. */
  readonly isTimed?: true;
}

/** Milliseconds within which what is sent to one instance counts as sent at the same time: it crosses as one run. */
const SAME_MS = 0.5;

/** The times of the envelopes of one way, which an inspector shows: of many at once it has one. */
export class SentTimes {
  #last: Trace | undefined;

  /** What goes with an envelope that is sent now. One that is told of has its own time. */
  at(now: number, given?: Trace): Trace {
    if (given?.told === true) return given;
    if (given?.from !== undefined) return { ...given, isTimed: true };
    const headers = given?.headers ?? null;
    const last = this.#last;
    if (last !== undefined && last.headers === headers && now - last.sentAt < SAME_MS) return last;
    return (this.#last = { headers, sentAt: now, told: false, isTimed: true });
  }
}

/** Where an event comes from that another node was given: the address of the agent that sent it, and its trace. */
export interface Origin {
  readonly from?: string | undefined;
  readonly headers?: TraceHeaders | undefined;
}

export function isOrigin(value: unknown): value is Origin {
  if (typeof value !== 'object' || value === null) return false;
  const { from, headers } = value as Record<keyof Origin, unknown>;
  return (from === undefined || typeof from === 'string') && (headers === undefined || isHeaders(headers));
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
