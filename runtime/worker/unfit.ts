import type { DeadLetterReason } from '../base/dead-letter-reason.ts';
import { isReserved } from '../base/reserved-types.ts';
import type { Foreign } from '../mailbox/own-memory.ts';
import { measure } from '../mailbox/size.ts';
import { hasMoved } from '../mailbox/transfer.ts';

/** What one agent may send another. */
interface Limits {
  /** The most bytes of an event. */
  readonly maxBytes: number;
  /** Whether both ends may share memory. */
  readonly sharedMemory: boolean;
}

/**
 * The reason why an event cannot be sent, if there is one; or the memory that stays here when it leaves, if there is
 * any.
 */
export function unfit(
  event: unknown,
  { maxBytes, sharedMemory }: Limits,
): DeadLetterReason | 'too-deep' | Foreign | undefined {
  try {
    const { type } = event as { type?: unknown };
    if (typeof type !== 'string' || hasMoved(event)) return 'unclonable';
    if (isReserved(type)) return 'reserved';
    const size = measure(event, maxBytes, sharedMemory);
    if (size === 'shared') return 'unclonable';
    return typeof size === 'number' ? undefined : size;
  } catch {
    return 'unclonable';
  }
}
