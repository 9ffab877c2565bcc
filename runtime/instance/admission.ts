import type { AnyEventObject } from 'xstate';
import type { ResolvedAgent } from '../config/resolve.ts';
import type { DeadLetterReason } from '../base/dead-letter-reason.ts';
import { unclonableAdvice } from '../dead-letters/refusal.ts';
import { ownEvent } from '../mailbox/own-memory.ts';
import { bytesIn, measure, type Size } from '../mailbox/size.ts';
import type { Tag } from '../mailbox/tag.ts';
import { hasMoved } from '../mailbox/transfer.ts';
import { sharedMemoryAdvice } from '../wire/shared-memory.ts';
import type { Unhandled } from './unhandled.ts';

export interface AdmissionOptions {
  readonly agent: Pick<ResolvedAgent, 'threadId' | 'maxBytes' | 'warnBytes'>;
  /** Whether events may carry memory that threads share. */
  readonly sharedMemory: boolean;
  /** Whether the instance has ended, is about to end, or is quarantined. */
  readonly over: boolean;
  /** Returns the error for senders while the instance is quarantined or the runtime drains; `undefined` otherwise. */
  shut(): Error | undefined;
  /** Called with every event before it is queued. */
  readonly sent: ((event: object) => void) | undefined;
  /** Called for an event that is larger than the agent's `mailbox.warnBytes`. */
  large(event: object, bytes: number): void;
}

/** What is looked at in an event before an instance takes it in: that it is one, can be cloned, and is not too large. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #unhandled: Pick<Unhandled, 'refuse'>;

  constructor(options: AdmissionOptions, unhandled: Pick<Unhandled, 'refuse'>) {
    this.#options = options;
    this.#unhandled = unhandled;
  }

  /** Returns an event that may be queued; of one that may not, the reason. What an agent sends is no more than was let in. */
  of(event: unknown, tag: Tag, fromAgent = false): object | DeadLetterReason {
    if (this.#options.over || (!fromAgent && this.#options.shut() !== undefined))
      return this.#unhandled.refuse(event, tag, 'stopped');
    // XState would take its own stop event for the end of the actor, and nobody would learn of that end.
    if (!isEvent(event) || event.type === 'xstate.stop')
      return this.#unhandled.refuse(event, tag, 'unclonable', notAnEvent());
    if (hasMoved(event)) return this.#unhandled.refuse(event, tag, 'unclonable', alreadyMoved());
    const size = this.#sizeOf(event);
    if (size === 'shared')
      return this.#unhandled.refuse(
        event,
        tag,
        'unclonable',
        undefined,
        sharedMemoryAdvice(this.#options.agent.threadId),
      );
    if (size === 'too-deep' || size === 'unclonable')
      return this.#unhandled.refuse(event, tag, 'unclonable', undefined, unclonableAdvice(event));
    if (typeof size === 'string') return this.#unhandled.refuse(event, tag, size);
    const own = typeof size === 'number' ? event : ownEvent(event, size);
    this.#options.sent?.(own);
    return own;
  }

  #sizeOf(event: object): Size | 'unclonable' {
    const { maxBytes, warnBytes } = this.#options.agent;
    let size;
    try {
      size = measure(event, maxBytes, this.#options.sharedMemory);
      // An actor is large only because it leads to its whole system: the fault is that it cannot be cloned.
      if ((size === 'too-large' || size === 'too-deep') && Object.values(event).some(isActor))
        return 'unclonable';
    } catch {
      // A getter or proxy that throws when it is read would throw in structured clone too.
      return 'unclonable';
    }
    const bytes = bytesIn(size);
    if (bytes !== undefined && bytes > warnBytes) this.#options.large(event, bytes);
    return size;
  }
}

function isActor(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'sessionId' in value && 'send' in value;
}

export function isEvent(event: unknown): event is AnyEventObject {
  try {
    return typeof event === 'object' && event !== null && typeof (event as AnyEventObject).type === 'string';
  } catch {
    return false;
  }
}

function alreadyMoved(): TypeError {
  return new TypeError(
    'what transfer() moves with the event has moved already: such an event can be sent only once',
  );
}

export function notAnEvent(): TypeError {
  return new TypeError('an event is an object with a string "type" that is not XState\'s own "xstate.stop"');
}
