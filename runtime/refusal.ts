import type { DeadLetterReason } from './dead-letters.ts';
import { HoldfastError, type HoldfastErrorCode } from './errors.ts';

/** An event larger than this is refused. The limit is Rivet's. */
export const MAX_EVENT_BYTES = 1024 * 1024;

const codes: Partial<Record<DeadLetterReason, HoldfastErrorCode>> = {
  'mailbox-full': 'MAILBOX_FULL',
  unclonable: 'MESSAGE_UNCLONABLE',
  'too-large': 'MESSAGE_TOO_LARGE',
  crashed: 'THREAD_CRASHED',
};

const advice: Partial<Record<DeadLetterReason, string>> = {
  'mailbox-full': 'its mailbox is full; await deliver() to go at its pace, or raise mailbox.capacity',
  unclonable:
    'the event cannot be cloned; send an object with a string "type" and plain data, without functions, actors or sockets',
  'too-large': `the event is larger than ${MAX_EVENT_BYTES} bytes; send a reference to the data instead`,
  crashed: 'its thread ended while it handled this event',
  stopped: 'it has ended; spawn it again',
};

/** What those who wait for an envelope hear when it became a dead letter. */
export function refusal(address: string, reason: DeadLetterReason, cause?: unknown): HoldfastError {
  const message = `${address}: ${advice[reason] ?? reason}`;
  return new HoldfastError(codes[reason] ?? 'AGENT_STOPPED', message, cause === undefined ? {} : { cause });
}
