import type { AnyEventObject } from 'xstate';
import type { ResolvedAgent } from '../config/resolve.ts';
import { typeOf, type DeadLetters, type Evidence } from '../dead-letters/dead-letters.ts';
import type { DeadLetterReason } from '../base/dead-letter-reason.ts';
import { issuesInWords, type EventIssue } from '../base/event-issue.ts';
import type { Mark } from '../mailbox/mark.ts';
import { Mailbox } from '../mailbox/mailbox.ts';
import type { Tag } from '../mailbox/tag.ts';
import { ownEvent } from '../mailbox/own-memory.ts';
import { bytesIn, measure, type Size } from '../mailbox/size.ts';
import { NO_TERMS, termsOf, type Terms } from '../mailbox/terms.ts';
import { isSampled, type Trace, type TraceHeaders } from '../mailbox/trace.ts';
import { anyMarked, hasMoved, setMoved } from '../mailbox/transfer.ts';
import type { Waiting, WaitOptions } from '../mailbox/waiting.ts';
import { invalid, refusal, tooLate, unclonableAdvice } from '../dead-letters/refusal.ts';
import { AskReader, type AskStream, type KeptAsk } from './ask-stream.ts';
import { HoldfastError } from '../base/errors.ts';
import type { MailboxRow } from '../store/durable-store.ts';
import type { Ledger } from '../store/ledger.ts';
import type { KeptRow } from '../store/kept-row.ts';
import { letterIdOf } from '../store/row-letter.ts';
import type { AwaitedOutcome, Place, SentEvent } from '../store/sent-event.ts';
import { uncommitted } from '../store/uncommitted.ts';
import { encodeError } from '../wire/errors.ts';
import { decodeEvent, encodeEvent } from '../wire/encoded-state.ts';
import { type GivenId, KeptCalls, type KeptKind } from './kept-calls.ts';
import { sharedMemoryAdvice } from '../wire/shared-memory.ts';
import { suspicion } from '../dead-letters/suspicion.ts';
import type { MessageObserver } from '../mailbox/message-observer.ts';

export interface InboxOptions {
  readonly agent: ResolvedAgent;
  readonly address: string;
  /** Milliseconds of the runtime's clock. */
  readonly now: () => number;
  /** Whether events may carry memory that threads share. */
  readonly sharedMemory: boolean;
  readonly waiting: Waiting;
  readonly deadLetters: DeadLetters;
  /** Keeps rows, when the instance is durable. */
  readonly ledger: Ledger | undefined;
  /** Observes what is sent; `undefined` when nobody listens. */
  readonly messages: Pick<MessageObserver, 'begin'> | undefined;
  /** Called with every event before it is queued. */
  readonly sent: ((event: object) => void) | undefined;
  readonly incarnation: () => number;
  /** Whether the instance has ended, is about to end, or is quarantined. */
  readonly over: () => boolean;
  /** Returns the error for senders while the instance is quarantined or the runtime drains; `undefined` otherwise. */
  readonly shut: () => Error | undefined;
  /** Called when the mailbox has something to send. */
  readonly ready: () => void;
  /** Called before an event takes its place that is kept. */
  readonly needed: () => void;
  /** Called when nobody waits for that envelope any more. */
  readonly unawaited: (tag: Tag) => void;
  /** Called for an event that is larger than the agent's `mailbox.warnBytes`. */
  readonly large: (event: object, bytes: number) => void;
}

/** How a call is named to those who observe messages. */
const kindOf = { ask: 'ask', delivery: 'deliver' } as const;

/** The envelopes that an incarnation was sent and left behind. */
export interface Left {
  readonly mailbox: Mailbox;
  readonly incarnation: number;
}

/** The door of an instance: checks, measures and queues what is sent, and makes dead letters of what it refuses. */
export class Inbox {
  readonly mailbox: Mailbox;
  readonly #options: InboxOptions;
  /** Exists from the first call on of which something is kept. */
  #calls: KeptCalls | undefined;

  constructor(options: InboxOptions) {
    this.#options = options;
    this.mailbox = new Mailbox(options.agent.capacity, options.agent.overflow);
  }

  /** Whether each turn of the instance is committed, and what is enqueued for it outlives the process. */
  get keeps(): boolean {
    const { ledger } = this.#options;
    return ledger !== undefined && !ledger.isBehind;
  }

  /** Queues an event; what cannot be queued becomes a dead letter. Never throws. */
  accept(event: unknown): void {
    const { agent, address, messages } = this.#options;
    const sending = messages?.begin(agent.name, address, 'send');
    const refused = this.#enqueue(event, 0, NO_TERMS, sending?.trace);
    sending?.ended(refused && refusal(address, refused));
  }

  /** Queues an event that an agent has sent by way of the host. Never throws. */
  acceptFrom(sent: SentEvent, place: Place): void {
    this.#enqueueFrom(sent, place, 0, NO_TERMS);
  }

  /** Queues an event for an agent that waits for its outcome, and has sent it by way of the host. */
  openFrom(sent: SentEvent, { kind, deadline, depth }: AwaitedOutcome, place: Place): Promise<unknown> {
    const { address, agent, now, unawaited, waiting } = this.#options;
    const left = Math.max(0, deadline - now());
    const options = {
      // Who waits keeps the time, and waits of almost the same length share a timer.
      timeoutMs: 1000 * (1 + Math.ceil(left / 1000)),
      expiresMs: left,
      onTimeout: (ms: number) => this.#lateStore(kind, ms) ?? tooLate(address, kind, ms),
      of: agent.threadId,
      settled: unawaited,
    };
    return waiting.open(kind, options, (tag) =>
      this.#enqueueFrom(sent, place, tag, termsOf(deadline, depth)),
    );
  }

  #enqueueFrom({ event, row, headers }: SentEvent, place: Place, tag: Tag, terms: Terms): void {
    const own = this.#admit(event, tag, true);
    if (typeof own === 'string') return;
    const trace = this.#traceOf(row, headers);
    if (place === 'none' || !this.mailbox.offer(own, tag, terms, this.#dropped, trace))
      this.refuse(own, tag, 'mailbox-full');
    else this.#options.ready();
  }

  #traceOf({ from }: MailboxRow, headers: TraceHeaders | null = null): Trace {
    const told = headers !== null && isSampled(headers);
    return { headers, sentAt: this.#options.now(), told, from };
  }

  /** Queues an event; returns the reason if it was refused. */
  #enqueue(event: unknown, tag: Tag, terms: Terms, trace?: Trace): DeadLetterReason | undefined {
    const own = this.#admit(event, tag);
    if (typeof own === 'string') return own;
    // Nothing comes before rows that wait for a place.
    const isBehind = this.#options.ledger?.rows.more === true;
    const fits = !isBehind && this.mailbox.offer(own, tag, terms, this.#dropped, trace);
    if (!fits) return this.refuse(own, tag, 'mailbox-full');
    this.#options.ready();
    return undefined;
  }

  /**
   * Sends an event of which something is kept: that it outlives the process, or what became of its id. It has its place
   * from here on: in the mailbox, or in the store when that is full or the time `at` has not come.
   */
  keep(
    kind: KeptKind,
    event: unknown,
    given: GivenId | undefined,
    wait: WaitOptions,
    at?: number,
  ): Promise<unknown> {
    return this.#keep(kind, at, (calls) => calls.call(kind, event, given, wait, at));
  }

  #keep(
    kind: KeptKind,
    at: number | undefined,
    call: (calls: KeptCalls) => Promise<unknown>,
  ): Promise<unknown> {
    const { address, agent, ledger, messages } = this.#options;
    if (ledger === undefined || ledger.isBehind) return Promise.reject(notDurable(address));
    // One that was passive has rows of its own again.
    if (at === undefined || ledger.rows.dueAt(at) === 0) this.#options.needed();
    const sending = messages?.begin(agent.name, address, kind === 'enqueue' ? 'send' : kindOf[kind]);
    const kept = call((this.#calls ??= this.#openCalls(ledger)));
    if (sending !== undefined) endsWith(kept, sending);
    return kept;
  }

  #openCalls(ledger: Ledger): KeptCalls {
    const { address, agent, ready, waiting } = this.#options;
    return new KeptCalls({
      address,
      threadId: agent.threadId,
      ledger,
      waiting,
      admit: (event, tag) => {
        const own = this.#admit(event, tag);
        return typeof own === 'string' ? undefined : own;
      },
      refuse: (event, tag, reason, why) => this.refuse(event, tag, reason, undefined, why),
      hasRoom: () => this.mailbox.hasRoom,
      put: (event, row, tag, terms) => this.mailbox.put(event, row, undefined, tag, terms),
      take: (row) => this.mailbox.discardMarked(row, () => {}),
      ready,
    });
  }

  /**
   * Queues rows of the store, also when the mailbox is full; `first`: before everything else, of which nothing was sent.
   */
  arrived(rows: readonly KeptRow[], first: boolean): void {
    const envelopes: {
      readonly event: unknown;
      readonly mark: KeptRow;
      readonly trace?: Trace | undefined;
    }[] = [];
    for (const mark of rows) {
      const event = this.#decoded(mark);
      const { row, sent } = mark;
      const trace = row.from === undefined ? undefined : this.#traceOf(row, sent?.headers);
      if (event === undefined) continue;
      if (mark.isPoison) this.#killed(mark, event);
      else envelopes.push({ event, mark, trace });
    }
    if (first) this.mailbox.prepend(envelopes);
    else {
      for (const { event, mark, trace } of envelopes) {
        const { tag = 0 } = mark.id ?? {};
        this.mailbox.put(event, mark, trace, tag < 0 ? tag : 0);
      }
    }
    this.#options.ready();
  }

  /** Makes a dead letter of an event that the process has ended with, again and again. */
  #killed(row: KeptRow, event: unknown): void {
    const { address, agent, deadLetters, incarnation, waiting } = this.#options;
    const error = killsProcess(address);
    const evidence: Evidence = { cause: 'exit', thread: `holdfast:${agent.threadId}`, error };
    const kept = this.#letterOf(row, 'poison', error, { evidence: shownEvidence(evidence) });
    deadLetters.add({ address, event, incarnation: incarnation(), kept, reason: 'poison', evidence }, 0);
    const { tag = 0 } = row.id ?? {};
    if (tag !== 0) waiting.reject(tag, error);
  }

  #decoded(row: KeptRow): unknown {
    try {
      return row.sent?.event ?? decodeEvent(row.row.event);
    } catch (error) {
      const why = error instanceof Error ? error.message : undefined;
      this.refuse(undefined, 0, 'unclonable', error, why, undefined, row);
      return undefined;
    }
  }

  /** Returns an event that may be queued; of one that may not, the reason. What an agent sends is no more than was let in. */
  #admit(event: unknown, tag: Tag, fromAgent = false): object | DeadLetterReason {
    if (this.#options.over() || (!fromAgent && this.#options.shut() !== undefined))
      return this.refuse(event, tag, 'stopped');
    // XState would take its own stop event for the end of the actor, and nobody would learn of that end.
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
    return own;
  }

  /** Queues an event of the runtime itself, also when the mailbox is full. `mark`: what is known once it is handled. */
  acceptControl(event: AnyEventObject, mark?: Mark): void {
    if (this.#options.over()) return;
    const size = measure(event, Infinity);
    this.mailbox.offerControl(typeof size === 'object' ? ownEvent(event, size) : event, mark);
    this.#options.ready();
  }

  readonly #dropped = (event: unknown, tag: Tag): void => void this.refuse(event, tag, 'mailbox-full');

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

  /** Makes a dead letter of an event, and rejects whoever waits for it. */
  refuse(
    event: unknown,
    tag: Tag,
    reason: DeadLetterReason,
    cause?: unknown,
    why?: string,
    incarnation: number = this.#options.incarnation(),
    mark?: Mark,
  ): DeadLetterReason {
    const { address, deadLetters, waiting } = this.#options;
    const kept = mark && this.#letterOf(mark, reason, refusal(address, reason, cause, why));
    deadLetters.add({ address, reason, event, incarnation, kept, ...(why !== undefined && { why }) }, tag);
    if (tag === 0) return reason;
    const shut = reason === 'stopped' ? this.#options.shut() : undefined;
    const error = shut ?? refusal(address, reason, cause, why);
    // Nobody knows how far the envelope in hand came before the end.
    if (reason === 'crashed' || reason === 'poison') waiting.reject(tag, error);
    else waiting.refuse(tag, error);
    return reason;
  }

  /**
   * Makes the suspect a dead letter: the envelope that was in hand when its handling, or the thread, ended. It is the
   * first of the mailbox, or the one that is `behind` places after it. What is promised to be kept is tried again, up to
   * five times; where the runtime itself ended the thread, it is no suspect.
   */
  suspect(evidence: Evidence, behind = 0, { mailbox, incarnation }: Left = this.#own()): void {
    const { address, deadLetters, ledger, waiting } = this.#options;
    const reason = suspicion(evidence);
    const row = mailbox === this.mailbox ? (mailbox.markAt(behind) as KeptRow | undefined) : undefined;
    if (row !== undefined && ledger !== undefined) {
      if (reason.reason !== 'poison' || !ledger.attempted(row)) return;
    }
    mailbox.discardAt(behind, (event, tag, mark) => {
      const error = mark && refusal(address, reason.reason, evidence.error);
      const kept = error && this.#letterOf(mark, reason.reason, error, { evidence: shownEvidence(evidence) });
      deadLetters.add({ address, event, incarnation, kept, ...reason }, tag);
      if (tag !== 0) waiting.reject(tag, evidence.error);
    });
  }

  /**
   * Takes out the envelope whose turn failed, `behind` places after the first. It counts as handled; what was promised to
   * be kept becomes a letter, and its id keeps the error.
   */
  threw(behind: number, error: unknown): void {
    const { address, deadLetters, incarnation, waiting } = this.#options;
    const delivered = (tag: Tag): void => waiting.resolve(tag);
    const what = error instanceof Error ? error.message : 'something that is not an Error';
    const why = `its turn failed: ${what}`;
    this.mailbox.acknowledgeTo(behind, delivered, (event, mark) => {
      const kept = this.#letterOf(mark, 'crashed', refusal(address, 'crashed', error, why), { threw: error });
      deadLetters.add({ address, reason: 'crashed', event, incarnation: incarnation(), kept, why });
    });
  }

  /**
   * Makes a letter of what the store has, or is to have, of an event, and returns its id. The id that its caller gave the
   * event keeps the error when its turn threw, and when its row was promised to be handled.
   */
  #letterOf(
    mark: Mark,
    reason: DeadLetterReason,
    error: HoldfastError,
    more: { readonly evidence?: object; readonly threw?: unknown } = {},
  ): string | undefined {
    const keeps = 'threw' in more || mark.n > 0;
    const failure = keeps ? encodeEvent(encodeError(more.threw ?? error)) : undefined;
    return this.#options.ledger?.refused(mark as KeptRow, reason, error, {
      failure,
      evidence: more.evidence,
    });
  }

  /** Queues an event for a caller who waits for its outcome. `depth` asks led to it. */
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
      stream,
      depth = 0,
    }: WaitOptions & { readonly depth?: number },
  ): Promise<unknown> {
    const { agent, address, messages, unawaited: settled, waiting } = this.#options;
    const of = agent.threadId;
    const onTimeoutOf =
      this.#options.ledger === undefined
        ? onTimeout
        : (ms: number): Error => this.#lateStore(kind, ms) ?? onTimeout(ms);
    const options = {
      timeoutMs,
      signal,
      onTimeout: onTimeoutOf,
      expiresMs,
      refused,
      throws,
      putOff,
      stream,
      of,
      settled,
    };
    const sending = messages?.begin(agent.name, address, kind === 'ask' ? 'ask' : 'deliver');
    const answer = waiting.open(
      kind,
      options,
      (tag, deadline) =>
        void this.#enqueue(event, tag, termsOf(deadline, depth, stream !== undefined), sending?.trace),
    );
    if (sending !== undefined) endsWith(answer, sending);
    return answer;
  }

  /** The error when the time of somebody is up because the store does not answer. */
  #lateStore(kind: 'ask' | 'delivery', ms: number): Error | undefined {
    const { address, ledger } = this.#options;
    const cause = ledger?.failing;
    return cause && uncommitted(address, kind === 'ask' ? 'it was asked' : 'it was sent an event', ms, cause);
  }

  /** Queues an event for a caller who reads what comes before the reply. */
  askStream(event: unknown, wait: Pick<WaitOptions, 'timeoutMs' | 'signal' | 'onTimeout'>): AskStream {
    const { address, waiting } = this.#options;
    const reader = new AskReader({ waiting, address, signal: wait.signal });
    const result = this.open('ask', event, { ...wait, stream: reader });
    reader.follow(result);
    return { result, [Symbol.asyncIterator]: () => reader.iterator() };
  }

  /** {@link askStream} with an id: unless it was asked before, of which the caller gets the answer alone. */
  keepStream(
    event: unknown,
    given: GivenId,
    wait: Pick<WaitOptions, 'timeoutMs' | 'signal' | 'onTimeout'>,
  ): KeptAsk {
    const { address, waiting } = this.#options;
    const reader = new AskReader({ waiting, address, signal: wait.signal });
    const { promise: again, resolve: known } = Promise.withResolvers<boolean>();
    const result = this.#keep('ask', undefined, (calls) => calls.stream(event, given, wait, reader, known));
    result.catch(() => known(false));
    reader.follow(result);
    return { stream: { result, [Symbol.asyncIterator]: () => reader.iterator() }, again };
  }

  /** Queues the event of a dead letter. Settles when the event was handled or refused, without a deadline. */
  replay(event: unknown, begun: (tag: Tag) => void): Promise<unknown> {
    const { agent, address, waiting } = this.#options;
    const options = {
      timeoutMs: Infinity,
      onTimeout: () => refusal(address, 'stopped'),
      of: agent.threadId,
    };
    return waiting.open('delivery', options, (tag) => {
      begun(tag);
      this.#enqueue(event, tag, NO_TERMS);
    });
  }

  /** Makes a dead letter of an ask whose deadline the thread found passed. `whole`: the thread sent back the whole event. */
  expiredInThread(event: unknown, whole: boolean): void {
    this.mailbox.unhandled();
    if (!whole && typeof event === 'object' && event !== null) setMoved(event);
    this.refuse(event, 0, 'expired');
  }

  /**
   * Makes a dead letter of the envelope `behind` places after the first, which its thread found not to fit its schema, and
   * rejects whoever waits for it. Returns `false` when the thread was sent no such event.
   */
  invalid({ mailbox, incarnation }: Left, behind: number, issues: readonly EventIssue[]): boolean {
    const sent = mailbox.sentAt(behind);
    if (sent === undefined) return false;
    const { address, deadLetters, waiting } = this.#options;
    const { event, tag, mark } = sent;
    const type = typeOf(event) ?? '';
    mailbox.unhandled();
    const why = issuesInWords(type, issues);
    if (mark !== undefined) this.#letterOf(mark, 'invalid', invalid(address, type, issues));
    deadLetters.add({ address, reason: 'invalid', event, incarnation, why }, tag);
    if (tag !== 0) waiting.refuse(tag, invalid(address, type, issues));
    return true;
  }

  /** Refuses, after an incarnation ended, the events whose memory had moved to its thread and is gone with it. */
  refuseMoved(cause: unknown): void {
    if (!anyMarked()) return;
    this.mailbox.discardUnless(
      (event) => !hasMoved(event),
      (event, tag, mark) => this.refuse(event, tag, 'crashed', cause, undefined, undefined, mark),
    );
  }

  /** Takes out the events that wait, for another instance; an event with somebody who waits for it is refused as `stopped`. */
  takeQueued(): AnyEventObject[] {
    const waiting: AnyEventObject[] = [];
    this.mailbox.discardQueued((event, tag, mark) => {
      if (this.#staysInStore(mark)) return;
      if (tag === 0) waiting.push(event as AnyEventObject);
      else this.refuse(event, tag, 'stopped');
    });
    return waiting;
  }

  /** Leaves to the store what it keeps of an event that leaves the mailbox; returns whether that is the event itself. */
  #staysInStore(mark: Mark | undefined): boolean {
    if (mark === undefined) return false;
    this.#options.ledger?.left(mark as KeptRow);
    return mark.n > 0;
  }

  /** The runtime drains: events that have not left yet are still handled, or refused, as the agent's `drain` says. */
  drain(): void {
    if (this.#options.agent.drain === 'finish') return;
    this.mailbox.discardQueued((event, tag, mark) => {
      if (!this.#staysInStore(mark)) this.refuse(event, tag, 'stopped');
    });
  }

  /**
   * Refuses everything that waits in the mailbox, or in one that the instance left behind with a thread. What the store
   * has stays there until the end of the instance is committed. `paused`: the instance goes on in another process, and
   * what is to be stored still is.
   */
  close({ mailbox, incarnation }: Left = this.#own(), paused = false): void {
    const { address, deadLetters, ledger, waiting } = this.#options;
    mailbox.clear((event, tag, mark) => {
      if (mark === undefined) {
        this.refuse(event, tag, 'stopped', undefined, undefined, incarnation);
        return;
      }
      const row = mark as KeptRow;
      const kept = row.n > 0 && row.state === 'stored' ? letterIdOf(row.n) : undefined;
      ledger?.left(row, paused ? undefined : refusal(address, 'stopped'));
      if (paused && row.n > 0) {
        if (tag !== 0) waiting.reject(tag, refusal(address, 'stopped'));
        return;
      }
      deadLetters.add({ address, reason: 'stopped', event, incarnation, kept }, tag);
      if (tag !== 0) waiting.refuse(tag, refusal(address, 'stopped'));
    });
  }

  /** Rejects whoever waits for something in the mailbox, because nothing more of the instance is told. */
  untold(error: Error): void {
    for (const tag of this.mailbox.awaited()) this.#options.waiting.reject(tag, error);
  }

  /**
   * Makes dead letters of everything that somebody waits for, who gets that error: nobody knows how far it would have come
   * without it. The rest of the mailbox waits on, and so does what is kept.
   */
  unanswered(error: Error): void {
    const { address, deadLetters, waiting, incarnation } = this.#options;
    this.mailbox.discardAwaited((event, tag) => {
      deadLetters.add({ address, reason: 'crashed', event, incarnation: incarnation() }, tag);
      waiting.reject(tag, error);
    });
    this.untold(error);
  }

  #own(): Left {
    return { mailbox: this.mailbox, incarnation: this.#options.incarnation() };
  }
}

/** Tells who observes the message how the wait for its outcome ends. */
function endsWith(outcome: Promise<unknown>, sending: { ended(error?: unknown): void }): void {
  outcome.then(
    () => sending.ended(),
    (error: unknown) => sending.ended(error ?? null),
  );
}

function notDurable(address: string): HoldfastError {
  return new HoldfastError(
    'OPTION_INVALID',
    `${address} is not durable, so nothing can be kept for it: run it with a store that commits each turn, and give it an id`,
  );
}

function killsProcess(address: string): HoldfastError {
  return new HoldfastError(
    'PROCESS_CRASHED',
    `${address}: the process has ended again and again while it handled this event; find out why before you replay its dead letter`,
  );
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

/** Evidence as it is stored. */
function shownEvidence({ cause, thread, error }: Evidence): object {
  const { name, message, code } = error instanceof Error ? (error as Error & { code?: unknown }) : {};
  return { cause, thread, error: { name, message, ...(typeof code === 'string' && { code }) } };
}
