import type { TraceHeaders } from '../mailbox/trace.ts';

/** The trace of the running code, also after an `await`. */
export interface RunningTrace {
  readonly headers: TraceHeaders;
  /** The number of a machine's delayed events that it went through, one after the other. */
  readonly delays: number;
}
