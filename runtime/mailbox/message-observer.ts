import type { Trace } from './trace.ts';

/** How an event is sent: without waiting, for a reply, or until it was handled. */
export type Operation = 'send' | 'ask' | 'deliver';

/** One event on its way, as the observer of messages follows it. */
export interface Sending {
  /** What travels with the envelope, if anything does. */
  readonly trace: Trace | undefined;
  /** It has come to its end: with an error, if it failed. */
  ended(error?: unknown): void;
}

/** Hears of events as they are sent, and as threads have handled them. */
export interface MessageObserver {
  /** An event is sent to an instance. Undefined: nobody wants to know. */
  begin(agent: string, address: string, operation: Operation): Sending | undefined;
  /** A thread of a pool tells of an envelope that was handled there; it may tell anything, and is heard of its own pool. */
  handled(report: unknown, threadId: string): void;
}
