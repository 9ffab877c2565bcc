import type { Trace } from './trace.ts';

/** The operation that sends an event: without waiting, for a reply, or until it was handled. */
export type Operation = 'send' | 'ask' | 'deliver';

/** An event on its way, as the observer of messages follows it. */
export interface Sending {
  /** The trace that travels with the envelope, if there is one. */
  readonly trace: Trace | undefined;
  /** The event has come to its end, with an error if it failed. Undefined: nobody needs to hear of that. */
  readonly ended: ((error?: unknown) => void) | undefined;
}

/** Observes events as they are sent, and as threads have handled them. */
export interface MessageObserver {
  /** An event is sent to an instance. Undefined: the event is not observed. */
  begin(agent: string, address: string, operation: Operation): Sending | undefined;
  /**
   * A thread of a pool reports an envelope that was handled there. The report may hold anything, and counts for that
   * pool alone.
   */
  handled(report: unknown, threadId: string): void;
}
