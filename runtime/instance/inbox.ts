import type { AnyEventObject } from 'xstate';
import type { ResolvedAgent } from '../config/resolve.ts';
import type { DeadLetters, Evidence } from '../dead-letters/dead-letters.ts';
import type { DeadLetterReason } from '../base/dead-letter-reason.ts';
import { Mailbox } from '../mailbox/mailbox.ts';
import type { Tag } from '../mailbox/tag.ts';
import { ownEvent } from '../mailbox/own-memory.ts';
import { bytesIn, measure, type Size } from '../mailbox/size.ts';
import { NO_TERMS, termsOf, type Terms } from '../mailbox/terms.ts';
import type { Trace } from '../mailbox/trace.ts';
import { anyMarked, hasMoved, setMoved } from '../mailbox/transfer.ts';
import type { Waiting, WaitOptions } from '../mailbox/waiting.ts';
import { refusal, unclonableAdvice } from '../dead-letters/refusal.ts';
import { sharedMemoryAdvice } from '../wire/shared-memory.ts';
import { suspicion } from '../dead-letters/suspicion.ts';
import type { MessageObserver } from '../mailbox/message-observer.ts';

export interface InboxOptions {
  readonly agent: ResolvedAgent;
  readonly address: string;
  /** Its pool may be sent shared memory. */
  readonly sharedMemory: boolean;
  readonly waiting: Waiting;
  readonly deadLetters: DeadLetters;
  /** Tells of what is sent, if somebody listens. */
  readonly messages: Pick<MessageObserver, 'begin'> | undefined;
  /** Gets every event, before it waits in the mailbox. */
  readonly sent: ((event: object) => void) | undefined;
  readonly incarnation: () => number;
  /** The instance has ended, or is about to. */
  readonly over: () => boolean;
  /** What those hear who are not let in because it is quarantined, if it is, or because the runtime drains. */
  readonly shut: () => Error | undefined;
  /** Something waits in the mailbox. */
  readonly ready: () => void;
  /** Nobody waits for that envelope any more. */
  readonly settled: (tag: Tag) => void;
  /** An event is larger than the agent's `mailbox.warnBytes`. */
  readonly large: (event: object, bytes: number) => void;
}

/** Envelopes that an incarnation was sent. */
export interface Left {
  readonly mailbox: Mailbox;
  readonly incarnation: number;
}

/** The door of an instance: what is sent to it, is checked, and waits; and what becomes of what is not let in. */
export class Inbox {
  readonly mailbox: Mailbox;
  readonly #options: InboxOptions;

  constructor(options: InboxOptions) {
    this.#options = options;
    this.mailbox = new Mailbox(options.agent.capacity, options.agent.overflow);
  }

  /** Queues an event; what cannot be queued becomes a dead letter. Never throws. */
  accept(event: unknown): void {
    const { agent, address, messages } = this.#options;
    const sending = messages?.begin(agent.name, address, 'send');
    const refused = this.#take(event, 0, NO_TERMS, sending?.trace);
    sending?.ended(refused && refusal(address, refused));
  }

  /** Why it was refused, if it was. */
  #take(event: unknown, tag: Tag, terms: Terms, trace?: Trace): DeadLetterReason | undefined {
    if (this.#options.over() || this.#options.shut() !== undefined) return this.refuse(event, tag, 'stopped');
    // XState would take its own stop for the actor's end, of which nobody would hear.
    if (!isEvent(event) || event.type === 'xstate.stop')
      return this.refuse(event, tag, 'unclonable', notAnEvent());
    if (hasMoved(event)) return this.refuse(event, tag, 'unclonable', alreadyMoved());
    const size = this.#sizeOf(event);
    if (size === 'shared')
      return this.refuse(
        event,
        tag,
        'unclonable',
        undefined,
        sharedMemoryAdvice(this.#options.agent.threadId),
      );
    if (size === 'too-deep' || size === 'unclonable')
      return this.refuse(event, tag, 'unclonable', undefined, unclonableAdvice(event));
    if (typeof size === 'string') return this.refuse(event, tag, size);
    const own = typeof size === 'number' ? event : ownEvent(event, size);
    this.#options.sent?.(own);
    const fits = this.mailbox.offer(own, tag, terms, this.#dropped, trace);
    if (!fits) return this.refuse(own, tag, 'mailbox-full');
    this.#options.ready();
    return undefined;
  }

  /** Queues what the runtime itself has to tell, also when the mailbox is full. */
  acceptControl(event: AnyEventObject): void {
    if (this.#options.over()) return;
    const size = measure(event, Infinity);
    this.mailbox.offerControl(typeof size === 'object' ? ownEvent(event, size) : event);
    this.#options.ready();
  }

  readonly #dropped = (event: unknown, tag: Tag): void => void this.refuse(event, tag, 'mailbox-full');

  #sizeOf(event: object): Size | 'unclonable' {
    const { maxBytes, warnBytes } = this.#options.agent;
    let size;
    try {
      size = measure(event, maxBytes, this.#options.sharedMemory);
      // Its system hangs on an actor; that is not what is wrong with it.
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

  /** Makes a dead letter of an event, and tells those who wait for it. */
  refuse(
    event: unknown,
    tag: Tag,
    reason: DeadLetterReason,
    cause?: unknown,
    why?: string,
    incarnation: number = this.#options.incarnation(),
  ): DeadLetterReason {
    const { address, deadLetters, waiting } = this.#options;
    deadLetters.add({ address, reason, event, incarnation, ...(why !== undefined && { why }) }, tag);
    if (tag === 0) return reason;
    const shut = reason === 'stopped' ? this.#options.shut() : undefined;
    const error = shut ?? refusal(address, reason, cause, why);
    // Of what was in hand when it came to its end, nobody knows how far it came.
    if (reason === 'crashed' || reason === 'poison') waiting.reject(tag, error);
    else waiting.refuse(tag, error);
    return reason;
  }

  /**
   * An envelope of the mailbox, the first or one that is `behind` it, was in hand when its handling, or the thread, came
   * to its end.
   */
  suspect(evidence: Evidence, behind = 0, { mailbox, incarnation }: Left = this.#own()): void {
    const { address, deadLetters, waiting } = this.#options;
    const reason = suspicion(evidence);
    mailbox.discardAt(behind, (event, tag) => {
      deadLetters.add({ address, event, incarnation, ...reason }, tag);
      if (tag !== 0) waiting.reject(tag, evidence.error);
    });
  }

  /** Queues an event that somebody waits for. `depth` asks led to it. */
  open(
    kind: 'ask' | 'delivery',
    event: unknown,
    {
      timeoutMs,
      signal,
      onTimeout,
      expiresMs,
      refused,
      throws,
      putOff,
      depth = 0,
    }: WaitOptions & { readonly depth?: number },
  ): Promise<unknown> {
    const { agent, address, messages, settled, waiting } = this.#options;
    const of = agent.threadId;
    const options = { timeoutMs, signal, onTimeout, expiresMs, refused, throws, putOff, of, settled };
    const sending = messages?.begin(agent.name, address, kind === 'ask' ? 'ask' : 'deliver');
    const answer = waiting.open(
      kind,
      options,
      (tag, deadline) => void this.#take(event, tag, termsOf(deadline, depth), sending?.trace),
    );
    if (sending !== undefined) {
      answer.then(
        () => sending.ended(),
        (error: unknown) => sending.ended(error ?? null),
      );
    }
    return answer;
  }

  /** Queues the event of a dead letter. Settles when it was handled or refused, however long that takes. */
  replay(event: unknown, begun: (tag: Tag) => void): Promise<unknown> {
    const { agent, address, waiting } = this.#options;
    const options = {
      timeoutMs: Infinity,
      onTimeout: () => refusal(address, 'stopped'),
      of: agent.threadId,
    };
    return waiting.open('delivery', options, (tag) => {
      begun(tag);
      this.#take(event, tag, NO_TERMS);
    });
  }

  /** The thread found that the time of an ask was up. */
  expiredInThread(event: unknown, whole: boolean): void {
    this.mailbox.unhandled();
    if (!whole && typeof event === 'object' && event !== null) setMoved(event);
    this.refuse(event, 0, 'expired');
  }

  /** The instance ended; what had moved to its thread with an event is gone with it. */
  refuseMoved(cause: unknown): void {
    if (!anyMarked()) return;
    this.mailbox.discardUnless(
      (event) => !hasMoved(event),
      (event, tag) => this.refuse(event, tag, 'crashed', cause),
    );
  }

  /** What waits, for another instance; who awaits something in it hears that this one was stopped. */
  takeQueued(): AnyEventObject[] {
    const waiting: AnyEventObject[] = [];
    this.mailbox.discardQueued((event, tag) => {
      if (tag === 0) waiting.push(event as AnyEventObject);
      else this.refuse(event, tag, 'stopped');
    });
    return waiting;
  }

  /** The runtime drains: what has not left yet is handled as well, or is not, as the config has it. */
  drain(): void {
    if (this.#options.agent.drain === 'finish') return;
    this.mailbox.discardQueued((event, tag) => this.refuse(event, tag, 'stopped'));
  }

  /** Nothing will be handled any more: of what waits here, or of what a thread had that the instance left behind. */
  close({ mailbox, incarnation }: Left = this.#own()): void {
    mailbox.clear((event, tag) => this.refuse(event, tag, 'stopped', undefined, undefined, incarnation));
  }

  #own(): Left {
    return { mailbox: this.mailbox, incarnation: this.#options.incarnation() };
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
