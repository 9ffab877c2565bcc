import type { DeadLetterReason } from '../base/dead-letter-reason.ts';
import { HoldfastError, type HoldfastErrorCode } from '../base/errors.ts';
import { issuesInWords, type EventIssue } from '../base/event-issue.ts';
import { findWhy } from '../wire/unclonable.ts';

const codes: Partial<Record<DeadLetterReason, HoldfastErrorCode>> = {
  'mailbox-full': 'MAILBOX_FULL',
  unclonable: 'MESSAGE_UNCLONABLE',
  'too-large': 'MESSAGE_TOO_LARGE',
  secret: 'SECRET_IN_SNAPSHOT',
  reserved: 'EVENT_RESERVED',
  invalid: 'EVENT_INVALID',
  crashed: 'THREAD_CRASHED',
  expired: 'ASK_TIMEOUT',
};

const advice: Partial<Record<DeadLetterReason, string>> = {
  'mailbox-full': 'its mailbox is full; await deliver() to go at its pace, or raise mailbox.capacity',
  unclonable:
    'the event cannot be cloned; send an object with a string "type" and plain data, without functions, actors or sockets',
  reserved: 'the type of the event is reserved for XState and the runtime; give it another type',
  'too-large': 'the event is larger than mailbox.maxBytes of its agent; send a reference to the data instead',
  secret:
    'the event carries the value of a secret and would be stored; let the agent use a handle, or what secretFetch sends',
  crashed: 'its thread ended while it handled this event',
  expired:
    'its deadline passed before the event had its turn; await deliver() to go at its pace, or give a longer timeoutMs',
  stopped: 'it has ended; spawn it again',
  'stale-incarnation':
    'it was sent by an incarnation that had ended; stop what sends it in the cleanup of a callback, or by an abort signal',
};

/** The error for callers who wait for an envelope that became a dead letter. */
export function refusal(
  address: string,
  reason: DeadLetterReason,
  cause?: unknown,
  why: string = advice[reason] ?? reason,
): HoldfastError {
  const message = `${address}: ${why}`;
  return new HoldfastError(codes[reason] ?? 'AGENT_STOPPED', message, cause === undefined ? {} : { cause });
}

/** The error for callers whose event does not fit what its agent accepts. */
export function invalid(address: string, type: string, issues: readonly EventIssue[]): HoldfastError {
  return new HoldfastError('EVENT_INVALID', `${address}: ${issuesInWords(type, issues)}`, { issues });
}

/** The advice for an event that cannot be cloned, with the part at fault; `undefined` when none is found. */
export function unclonableAdvice(event: unknown): string | undefined {
  const why = findWhy(event);
  return why && `the event cannot cross (${why}); send an object with a string "type" and plain data`;
}

/** Why an event has nobody to handle it: its recipient was to be started. */
export function notStarted(error: unknown): string {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  return `no instance could be started: ${typeof code === 'string' ? `${code}: ` : ''}${String(message)}`;
}

/** The error for readers of a stream of which nothing came for so long. */
export function silent(address: string, ms: number): HoldfastError {
  return new HoldfastError(
    'ASK_TIMEOUT',
    `${address} wrote nothing for ${ms} ms; give a longer timeoutMs, or find out what it waits for`,
  );
}

/** The error for who asks where the most asks already wait for each other. */
export function tooDeep(address: string, most: number): HoldfastError {
  return new HoldfastError(
    'ASK_TOO_DEEP',
    `${address} was not asked: ${most} asks already wait for each other; do two agents ask each other in a circle?`,
  );
}

/** The error for callers whose deadline passed before an answer came, or before an event was handled. */
export function tooLate(address: string, kind: 'ask' | 'delivery', ms: number): HoldfastError {
  const what = kind === 'ask' ? 'answer' : 'handle the event';
  return new HoldfastError(
    'ASK_TIMEOUT',
    `${address} did not ${what} within ${ms} ms; give it a longer timeoutMs, or find out what keeps it busy`,
  );
}
