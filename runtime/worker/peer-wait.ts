import { tooDeep } from '../dead-letters/refusal.ts';
import { MAX_DEPTH } from '../mailbox/terms.ts';
import type { PeerWait } from './thread-state.ts';

/** How long the outcome of an event may take, and how many asks led to it. */
export interface Bounds {
  readonly timeoutMs: number;
  readonly depth: number;
}

/**
 * The bounds of a wait: within an ask, no longer than that has left. Returns the error where too many asks wait for each
 * other.
 */
export function boundsOf({ timeoutMs, within }: PeerWait, address: string, now: number): Bounds | Error {
  if (within === undefined) return { timeoutMs: Math.max(0, timeoutMs), depth: 0 };
  const depth = within.depth + 1;
  if (depth > MAX_DEPTH) return tooDeep(address, MAX_DEPTH);
  return { timeoutMs: Math.max(0, Math.min(timeoutMs, within.deadline - now)), depth };
}
