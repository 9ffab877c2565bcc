import type { AnyEventObject } from 'xstate';
import type { Clock } from '../base/clock.ts';
import type { ResolvedAgent } from '../config/resolve.ts';
import type { DeadLetterReason } from '../base/dead-letter-reason.ts';
import type { Mark } from '../mailbox/mark.ts';
import { type Discard, Mailbox } from '../mailbox/mailbox.ts';
import type { Tag } from '../mailbox/tag.ts';
import { ownEvent } from '../mailbox/own-memory.ts';
import { measure } from '../mailbox/size.ts';
import { NO_TERMS, termsOf, type Terms } from '../mailbox/terms.ts';
import { isSampled, type Origin, SentTimes, type Trace, type TraceHeaders } from '../mailbox/trace.ts';
import type { WaitOptions } from '../mailbox/waiting.ts';
import { refusal, tooLate } from '../dead-letters/refusal.ts';
import { Admission, type AdmissionOptions } from './admission.ts';
import { AskReader, type AskStream, type KeptAsk } from './ask-stream.ts';
import { HoldfastError } from '../base/errors.ts';
import { CarefulLine, lateInLine } from './careful-line.ts';
import type { MailboxRow } from '../store/durable-store.ts';
import type { Ledger } from '../store/ledger.ts';
import type { KeptRow } from '../store/kept-row.ts';
import type { AwaitedOutcome, Place, SentEvent } from '../store/sent-event.ts';
import { uncommitted } from '../store/uncommitted.ts';
import { decodeEvent } from '../wire/encoded-state.ts';
import { type GivenId, KeptCalls, type KeptKind } from './kept-calls.ts';
import type { MessageObserver } from '../mailbox/message-observer.ts';
import { Unhandled, type UnhandledOptions } from './unhandled.ts';

export interface InboxOptions extends AdmissionOptions, UnhandledOptions {
  readonly agent: ResolvedAgent;
  readonly clock: Pick<Clock, 'now'>;
  /** Observes what is sent; `undefined` when nobody listens. */
  readonly messages: Pick<MessageObserver, 'begin'> | undefined;
  /** An inspector shows how long what is sent waits. It is read once, with the first event. */
  readonly isInspected: boolean;
  /** Called when the mailbox has something to send. */
  ready(): void;
  /** Called before an event takes its place that is kept. */
  needed(): void;
  /** Called when nobody waits for that envelope any more. */
  unawaited(tag: Tag): void;
}

/** How a call is named to those who observe messages. */
const kindOf = { ask: 'ask', delivery: 'deliver' } as const;

/** The door of an instance: queues what is sent, once it is admitted. */
export class Inbox {
  readonly mailbox: Mailbox;
  readonly unhandled: Unhandled;
  readonly #options: InboxOptions;
  readonly #admission: Admission;
  /** Exists from the first call on of which something is kept. */
  #calls: KeptCalls | undefined;
  /** Exists from the first event on, where the oldest may be dropped. */
  #onDropped: Discard | undefined;
  /** Exists from the first event on that came while others were handed over with care. */
  #line: CarefulLine | undefined;
  /** Known from the first event on; null: nobody asks. */
  #times: SentTimes | null | undefined;
  /** Exists from the first wait on. */
  #onSettled: ((tag: Tag) => void) | undefined;

  constructor(options: InboxOptions) {
    this.#options = options;
    this.mailbox = new Mailbox(options.agent.capacity, options.agent.overflow);
    this.unhandled = new Unhandled(options, this.mailbox);
    this.#admission = new Admission(options, this.unhandled);
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
    sending?.ended?.(refused && refusal(address, refused));
  }

  /** Queues an event that an agent has sent by way of the host. Never throws. */
  acceptFrom(sent: SentEvent, place: Place): void {
    this.#enqueueFrom(sent, place, 0, NO_TERMS);
  }

  /** Queues an event for an agent that waits for its outcome, and has sent it by way of the host. */
  openFrom(sent: SentEvent, { kind, deadline, depth }: AwaitedOutcome, place: Place): Promise<unknown> {
    const { address, agent, clock, waiting } = this.#options;
    const left = Math.max(0, deadline - clock.now());
    const options = {
      // Who waits keeps the time, and waits of almost the same length share a timer.
      timeoutMs: 1000 * (1 + Math.ceil(left / 1000)),
      expiresMs: left,
      onTimeout: (ms: number) => this.#lateStore(kind, ms) ?? tooLate(address, kind, ms),
      of: agent.threadId,
      settled: this.#settled,
    };
    return waiting.open(kind, options, (tag) =>
      this.#enqueueFrom(sent, place, tag, termsOf(deadline, depth)),
    );
  }

  #enqueueFrom({ event, row, headers }: SentEvent, place: Place, tag: Tag, terms: Terms): void {
    const own = this.#admission.of(event, tag, true);
    if (typeof own === 'string') return;
    this.#put(own, place, tag, terms, this.#traceOf(row, headers));
  }

  #traceOf({ from }: Pick<MailboxRow, 'from'>, headers: TraceHeaders | null = null): Trace {
    const told = headers !== null && isSampled(headers);
    const trace = { headers, sentAt: this.#options.clock.now(), told, from };
    return this.#timed(trace) ?? trace;
  }

  /** With the time at which it is sent, when an inspector shows that. */
  #timed(trace?: Trace): Trace | undefined {
    if (this.#times === undefined) this.#times = this.#options.isInspected ? new SentTimes() : null;
    return this.#times === null ? trace : this.#times.at(this.#options.clock.now(), trace);
  }

  /** Queues an event; returns the reason if it was refused. */
  #enqueue(event: unknown, tag: Tag, terms: Terms, trace?: Trace): DeadLetterReason | undefined {
    const own = this.#admission.of(event, tag);
    if (typeof own === 'string') return own;
    const rows = this.#options.ledger?.rows;
    if (rows?.isCareful === true) {
      this.#inLine.add(rows, { event: own, tag }, (place) => {
        if (this.#options.over) this.unhandled.refuse(own, tag, 'stopped');
        else this.#put(own, place, tag, terms, trace);
      });
      return undefined;
    }
    // Nothing comes before rows that wait for a place.
    return this.#put(own, rows?.more === true ? 'none' : 'any', tag, terms, trace);
  }

  #put(
    own: object,
    place: Place,
    tag: Tag,
    terms: Terms,
    trace: Trace | undefined,
  ): DeadLetterReason | undefined {
    if (place === 'none' || !this.mailbox.offer(own, tag, terms, this.#dropped, this.#timed(trace)))
      return this.unhandled.refuse(own, tag, 'mailbox-full');
    this.#options.ready();
    return undefined;
  }

  get #inLine(): CarefulLine {
    return (this.#line ??= new CarefulLine());
  }

  /** Resolves when everything sent so far has left the mailbox. */
  async passed(): Promise<void> {
    await this.#line?.placed();
    await this.mailbox.passed();
  }

  /** Rejects whoever waits for something of the instance, because nothing more of it is told. */
  untold(error: Error): void {
    for (const tag of this.#line?.awaited ?? []) this.#options.waiting.reject(tag, error);
    this.unhandled.untold(error);
  }

  /** The same, and makes dead letters of what they wait for; the rest waits on. */
  unanswered(error: Error): void {
    this.unhandled.unanswered(error, this.#line?.takeAwaited());
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
    if (sending?.ended !== undefined) endsWith(kept, sending.ended);
    return kept;
  }

  #openCalls(ledger: Ledger): KeptCalls {
    const { address, agent, waiting } = this.#options;
    return new KeptCalls({
      address,
      threadId: agent.threadId,
      ledger,
      waiting,
      admit: (event, tag) => {
        const own = this.#admission.of(event, tag);
        return typeof own === 'string' ? undefined : own;
      },
      refuse: (event, tag, reason, why) => this.unhandled.refuse(event, tag, reason, undefined, why),
      hasRoom: () => this.mailbox.hasRoom,
      isOver: () => this.#options.over,
      line: () => this.#inLine,
      put: (event, row, tag, terms) => this.mailbox.put(event, row, this.#timed(), tag, terms),
      take: (row) => this.mailbox.discardMarked(row, () => {}),
      ready: () => this.#options.ready(),
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
      readonly tag: Tag;
    }[] = [];
    for (const mark of rows) {
      const event = this.#decoded(mark);
      const { row, sent } = mark;
      const trace = row.from === undefined ? undefined : this.#traceOf(row, sent?.headers);
      if (event === undefined) continue;
      const { tag = 0 } = mark.id ?? {};
      if (mark.isPoison) this.unhandled.killed(mark, event);
      else envelopes.push({ event, mark, trace, tag: tag < 0 ? tag : 0 });
    }
    if (first) this.mailbox.prepend(envelopes);
    else for (const { event, mark, trace, tag } of envelopes) this.mailbox.put(event, mark, trace, tag);
    this.#options.ready();
  }

  #decoded(row: KeptRow): unknown {
    try {
      return row.sent?.event ?? decodeEvent(row.row.event);
    } catch (error) {
      const why = error instanceof Error ? error.message : undefined;
      this.unhandled.refuse(undefined, 0, 'unclonable', error, why, undefined, row);
      return undefined;
    }
  }

  /** Queues an event of the runtime itself, also when the mailbox is full. `mark`: what is known once it is handled. */
  acceptControl(event: AnyEventObject, mark?: Mark): void {
    if (this.#options.over) return;
    const size = measure(event, Infinity);
    this.mailbox.offerControl(typeof size === 'object' ? ownEvent(event, size) : event, mark);
    this.#options.ready();
  }

  /** Takes what a full mailbox drops; `undefined` for one that drops nothing. */
  get #dropped(): Discard | undefined {
    if (this.#options.agent.overflow !== 'drop-oldest') return undefined;
    return (this.#onDropped ??= (event, tag) => void this.unhandled.refuse(event, tag, 'mailbox-full'));
  }

  /** Tells the instance that nobody waits for an envelope any more. */
  get #settled(): (tag: Tag) => void {
    return (this.#onSettled ??= (tag) => this.#options.unawaited(tag));
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
      origin,
    }: WaitOptions & { readonly depth?: number | undefined; readonly origin?: Origin | undefined },
  ): Promise<unknown> {
    const { agent, address, messages, waiting } = this.#options;
    const of = agent.threadId;
    let own: Tag = 0;
    const onTimeoutOf =
      this.#options.ledger === undefined
        ? onTimeout
        : (ms: number): Error =>
            this.#lateStore(kind, ms) ?? this.#lateInLine(own, kind, ms) ?? onTimeout(ms);
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
      settled: this.#settled,
    };
    // The sending was observed where it began.
    const sending =
      origin === undefined
        ? messages?.begin(agent.name, address, kind === 'ask' ? 'ask' : 'deliver')
        : { trace: this.#traceOf(origin, origin.headers), ended: undefined };
    const answer = waiting.open(kind, options, (tag, deadline) => {
      own = tag;
      this.#enqueue(event, tag, termsOf(deadline, depth, stream !== undefined), sending?.trace);
    });
    if (sending?.ended !== undefined) endsWith(answer, sending.ended);
    return answer;
  }

  /** The error when the time of somebody is up because the store does not answer. */
  #lateStore(kind: 'ask' | 'delivery', ms: number): Error | undefined {
    const { address, ledger } = this.#options;
    const cause = ledger?.failing;
    return cause && uncommitted(address, kind === 'ask' ? 'it was asked' : 'it was sent an event', ms, cause);
  }

  #lateInLine(tag: Tag, kind: 'ask' | 'delivery', ms: number): Error | undefined {
    return this.#line?.has(tag) === true ? lateInLine(this.#options.address, kind, ms) : undefined;
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

  /** Takes out the events that wait, for another instance; an event with somebody who waits for it is refused as `stopped`. */
  takeQueued(): AnyEventObject[] {
    const waiting: AnyEventObject[] = [];
    this.mailbox.discardQueued((event, tag, mark) => {
      if (this.#staysInStore(tag, mark)) return;
      if (tag === 0) waiting.push(event as AnyEventObject);
      else this.unhandled.refuse(event, tag, 'stopped');
    });
    return waiting;
  }

  /** Leaves to the store what it keeps of an event that leaves the mailbox; returns whether that is the event itself. */
  #staysInStore(tag: Tag, mark: Mark | undefined): boolean {
    if (mark === undefined) return false;
    const { address, ledger, waiting } = this.#options;
    ledger?.left(mark as KeptRow);
    if (mark.n > 0 && tag !== 0) waiting.reject(tag, refusal(address, 'stopped'));
    return mark.n > 0;
  }

  /** The runtime drains: events that have not left yet are still handled, or refused, as the agent's `drain` says. */
  drain(): void {
    if (this.#options.agent.drain === 'finish') return;
    this.mailbox.discardQueued((event, tag, mark) => {
      if (!this.#staysInStore(tag, mark)) this.unhandled.refuse(event, tag, 'stopped');
    });
  }
}

/** Tells who observes the message how the wait for its outcome ends. */
function endsWith(outcome: Promise<unknown>, ended: (error?: unknown) => void): void {
  outcome.then(
    () => ended(),
    (error: unknown) => ended(error ?? null),
  );
}

function notDurable(address: string): HoldfastError {
  return new HoldfastError(
    'OPTION_INVALID',
    `${address} is not durable, so nothing can be kept for it: run it with a store that commits each turn, and give it an id`,
  );
}
