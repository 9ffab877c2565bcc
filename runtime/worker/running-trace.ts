import type { TraceHeaders } from '../mailbox/trace.ts';

/** The trace that what runs is a part of, also after an `await`. */
export interface RunningTrace {
  readonly headers: TraceHeaders;
  /** Delayed events of a machine that it went through, one after the other. */
  readonly delays: number;
}
