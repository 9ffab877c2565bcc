import type { ThreadMethod } from '../wire/protocol.ts';

/** A question to a thread of a pool that is about no instance. It has a place there until it is answered. */
export interface Visit {
  readonly method: ThreadMethod;
  readonly args: readonly unknown[];
  /** Whether this is an answer; the thread is of no use when it is not. */
  readonly fits: (answer: unknown) => answer is unknown;
  readonly answered: (answer: unknown) => void;
  readonly failed: (error: unknown) => void;
}
