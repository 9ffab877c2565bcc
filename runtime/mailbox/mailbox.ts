import type { Batch } from './batch.ts';
import type { MailboxSum } from './mailbox-sum.ts';
import type { Mark, Marked } from './mark.ts';
import { condensed, packRun } from './run.ts';
import type { Tag } from './tag.ts';
import { deadlineOf, NO_TERMS, type Terms } from './terms.ts';
import type { Trace } from './trace.ts';
import { markOf } from './transfer.ts';

/** Receives an envelope that leaves a mailbox unhandled. */
export type Discard = (event: unknown, tag: Tag, mark: Mark | undefined) => void;

/** The policy of a full mailbox: refuse the new event, or drop the oldest that still waits. */
export type Overflow = 'reject' | 'drop-oldest' | 'drop-newest';

/**
 * Marks an envelope of the control lane, from the runtime itself: never refused, not counted, and nobody waits for it.
 */
const CONTROL: Tag = -Infinity;

/** The places of a mailbox that has had an envelope; most instances have none for most of their time. */
const INITIAL = 16;
/**
 * The places that an empty mailbox keeps. One that had more to do gives the rest back, three words a place: what comes next is
 * few events for most, and with more than that many the growth costs nothing beside their handling.
 */
const MOST_KEPT = 256;
/** What a mailbox has before its first envelope. */
const NO_RING: never[] = [];

interface Barrier {
  readonly cursor: number;
  readonly pass: () => void;
}

const NO_BARRIERS: readonly Barrier[] = [];
/** The bound on envelopes in flight where the oldest may be dropped, because one in flight cannot be. */
const MAX_UNDROPPABLE = 256;

const nobodyHears: Discard = () => {};

/**
 * The bounded queue in front of one instance: envelopes that wait, and ahead of them those that were sent to the
 * thread and are not acknowledged yet. Both count against `capacity`. An envelope leaves only when it was handled or
 * discarded, so a thread that dies takes none with it.
 *
 * A ring of events, tags and terms with three cursors: `head <= sent <= tail`.
 */
export class Mailbox {
  /** The most envelopes queued or unacknowledged. Lowering it removes none that are in the mailbox already. */
  capacity: number;
  /** The most envelopes in flight at once. */
  maxInFlight: number;
  readonly #mostInFlight: number;
  readonly #overflow: Overflow;
  #events: unknown[] = NO_RING;
  #tags: Tag[] = NO_RING;
  #terms: Terms[] = NO_RING;
  /** Exists from the first traced envelope on. */
  #traces: (Trace | undefined)[] | undefined;
  /** Exists from the first marked envelope on. */
  #marks: (Mark | undefined)[] | undefined;
  /** One less than the places of the ring. */
  #mask = -1;
  #head = 0;
  #sent = 0;
  #tail = 0;
  #handled = 0;
  #control = 0;
  /** No queued envelope expires before this time. */
  #expiresFrom = Infinity;
  /** Beyond the last envelope whose ack comes late. */
  #lateTo = 0;
  /** Beyond the last delivery that was added; removals may leave it too far on. */
  #awaitedTo = 0;
  #barriers: readonly Barrier[] = NO_BARRIERS;
  #sum: MailboxSum | undefined;

  constructor(capacity: number, overflow: Overflow = 'reject') {
    this.capacity = capacity;
    this.#overflow = overflow;
    this.#mostInFlight =
      overflow === 'drop-oldest' ? Math.max(1, Math.min(MAX_UNDROPPABLE, capacity >> 1)) : Infinity;
    this.maxInFlight = this.#mostInFlight;
  }

  /** From now on at most one envelope is in flight, or as many as before. */
  slow(isSlow: boolean): void {
    this.maxInFlight = isSlow ? 1 : this.#mostInFlight;
  }

  /** Is counted in that sum from now on, and in no other. */
  countIn(sum: MailboxSum | undefined): void {
    const { depth, capacity, handled } = this;
    if (this.#sum !== undefined) add(this.#sum, -depth, -capacity, -handled);
    if (sum !== undefined) add(sum, depth, capacity, handled);
    this.#sum = sum;
  }

  /** Envelopes queued, plus those sent and not acknowledged. */
  get depth(): number {
    return this.#tail - this.#head;
  }

  /** Envelopes not sent yet. */
  get queued(): number {
    return this.#tail - this.#sent;
  }

  /** Envelopes sent and not acknowledged. */
  get inFlight(): number {
    return this.#sent - this.#head;
  }

  /** What is sent now is acknowledged late: it is handled before long, and from now on takes no room. */
  sentLate(): void {
    this.#lateTo = this.#sent;
  }

  get #late(): number {
    return Math.max(0, Math.min(this.#lateTo, this.#sent) - this.#head);
  }

  /** Whether somebody waits for an envelope to be handled; may be `true` for a while after a delivery was removed. */
  get isAwaited(): boolean {
    return this.#head < this.#awaitedTo;
  }

  /** Envelopes handled since the mailbox was created, and those of {@link handledBeside}. */
  get handled(): number {
    return this.#handled;
  }

  /** Counts envelopes as handled that did not come by this mailbox. */
  handledBeside(count: number): void {
    this.#handled += count;
    if (this.#sum !== undefined) this.#sum.handled += count;
  }

  /** Resolves when everything now in the mailbox has left it, or at {@link release}. */
  passed(): Promise<void> {
    if (this.depth === 0) return Promise.resolve();
    return new Promise((pass) => {
      this.#barriers = [...this.#barriers, { cursor: this.#tail, pass }];
    });
  }

  /** Ends the waits of {@link passed}, because nobody handles the content for now. */
  release(): void {
    const barriers = this.#barriers;
    this.#barriers = NO_BARRIERS;
    for (const { pass } of barriers) pass();
  }

  /**
   * Adds an envelope; `false` when the mailbox is full. With `drop-oldest` the oldest that waits makes room, if there
   * is one: an envelope that the thread already has cannot be dropped.
   */
  offer(
    event: unknown,
    tag: Tag,
    terms: Terms = NO_TERMS,
    dropped: Discard = nobodyHears,
    trace?: Trace,
    mark?: Mark,
  ): boolean {
    if (!this.hasRoom && !(this.#overflow === 'drop-oldest' && this.#dropOldest(dropped))) return false;
    this.#append(event, tag, terms, trace, mark);
    return true;
  }

  /** Whether another envelope fits, and none has to be dropped for it. */
  get hasRoom(): boolean {
    return this.#tail - this.#head - this.#control - this.#late < this.capacity;
  }

  /** Adds a marked envelope, although the mailbox may be full. */
  put(event: unknown, mark: Mark, trace?: Trace, tag: Tag = 0, terms: Terms = NO_TERMS): void {
    this.#append(event, tag, terms, trace, mark);
  }

  /** Adds an event of the runtime itself, for which there is always room. */
  offerControl(event: unknown, mark?: Mark): void {
    this.#control += 1;
    this.#append(event, CONTROL, NO_TERMS, undefined, mark);
  }

  /**
   * Adds marked envelopes before all others, of which none was sent. What is in the mailbox already keeps its place
   * behind them, though they be more than its capacity.
   */
  prepend(
    envelopes: readonly {
      readonly event: unknown;
      readonly mark: Mark;
      readonly trace?: Trace | undefined;
      readonly tag?: Tag | undefined;
    }[],
  ): void {
    for (const { event, mark, trace, tag = 0 } of envelopes.toReversed()) {
      if (this.#tail - this.#head > this.#mask) this.#grow();
      this.#head -= 1;
      if (this.#sum !== undefined) this.#sum.depth += 1;
      this.#sent = this.#head;
      const at = this.#head & this.#mask;
      this.#events[at] = event;
      this.#tags[at] = tag;
      if (tag < 0) this.#awaitedTo = Math.max(this.#awaitedTo, this.#head + 1);
      this.#terms[at] = NO_TERMS;
      if (trace !== undefined) this.#traces ??= [];
      if (this.#traces !== undefined) this.#traces[at] = trace;
      this.#marks ??= [];
      this.#marks[at] = mark;
    }
  }

  #append(event: unknown, tag: Tag, terms: Terms, trace?: Trace, mark?: Mark): void {
    if (this.#tail - this.#head > this.#mask) this.#grow();
    const at = this.#tail & this.#mask;
    this.#events[at] = event;
    this.#tags[at] = tag;
    this.#terms[at] = terms;
    if (trace !== undefined) this.#traces ??= [];
    if (this.#traces !== undefined) this.#traces[at] = trace;
    if (mark !== undefined) this.#marks ??= [];
    if (this.#marks !== undefined) this.#marks[at] = mark;
    this.#tail += 1;
    if (this.#sum !== undefined) this.#sum.depth += 1;
    if (tag < 0 && tag !== CONTROL) this.#awaitedTo = this.#tail;
    if (terms !== NO_TERMS) this.#expiresFrom = Math.min(this.#expiresFrom, deadlineOf(terms));
  }

  /** Whether a waiting envelope has a deadline. */
  get mayExpire(): boolean {
    return this.#expiresFrom !== Infinity;
  }

  /** Removes waiting envelopes that have expired at `now`, in milliseconds of the clock that set the deadlines. */
  expire(now: number, discard: Discard): void {
    if (now < this.#expiresFrom) return;
    this.#expiresFrom = Infinity;
    const inTime = (at: number): boolean => {
      const deadline = deadlineOf(this.#terms[at & this.#mask] as Terms);
      if (deadline <= now) return false;
      this.#expiresFrom = Math.min(this.#expiresFrom, deadline);
      return true;
    };
    this.#removeUnless(inTime, this.#sent, discard);
  }

  /**
   * Appends up to `max` queued envelopes to `batch` as runs (see {@link Batch}) and counts them as sent. Events that
   * are to move are appended to `moving` as well. Returns how many were taken.
   */
  take(batch: Batch, slot: number, max: number, moving?: object[]): number {
    const end = this.#upTo(Math.min(this.#tail, this.#sent + max));
    const taken = end - this.#sent;
    let at = this.#sent;
    if (moving !== undefined) this.#marked(at, end, moving);
    while (at < end) {
      const asked = (this.#tags[at & this.#mask] as Tag) > 0;
      let over = at + 1;
      const trace = this.#traces?.[at & this.#mask];
      if (trace === undefined) {
        while (over < end && (this.#tags[over & this.#mask] as Tag) > 0 === asked && !this.#isTraced(over))
          over += 1;
      } else {
        const { headers, sentAt, told, from, isTimed } = trace;
        // Nobody hears when each was handled, so all that share the trace are handled in it.
        if (!told && from === undefined)
          while (
            over < end &&
            (this.#tags[over & this.#mask] as Tag) > 0 === asked &&
            this.#traces?.[over & this.#mask] === trace
          )
            over += 1;
        if (from !== undefined) batch.push(slot, -1, from, 0, null);
        if (headers !== null || told || isTimed === true) batch.push(slot, 0, headers, sentAt, told);
      }
      if (over - at === 1) {
        const index = at & this.#mask;
        const tag = this.#tags[index] as Tag;
        batch.push(slot, 1, asked ? tag : 0, this.#terms[index], this.#events[index]);
        at = over;
        continue;
      }
      const packed = packRun(this.#eventAt, at, over);
      if (packed !== undefined) over = at + packed.length;
      batch.push(slot, over - at, asked ? this.#asks(at, over) : null);
      if (packed === undefined) batch.push(null, this.#slice(this.#events, at, over));
      else batch.push(packed.keys, packed.columns);
      at = over;
    }
    this.#sent = end;
    return taken;
  }

  /**
   * Removes the oldest `count` envelopes as handled, and calls `delivered` with the tags of deliveries among them. The
   * answer to an ask comes separately, with the ack; where no ack can come any more, `unanswered` gets the tags of the
   * asks.
   */
  acknowledge(count: number, delivered: (tag: Tag) => void, unanswered?: (tag: Tag) => void): void {
    // A thread that lies about its progress may claim less than nothing, or more than it got.
    const end = Math.max(this.#head, Math.min(this.#sent, this.#head + count));
    for (let at = this.#head; at < end; at++) {
      const index = at & this.#mask;
      const tag = this.#tags[index] as Tag;
      this.#events[index] = undefined;
      if (this.#marks !== undefined) this.#marks[index] = undefined;
      if (tag === 0) continue;
      if (tag > 0) unanswered?.(tag);
      else if (tag === CONTROL) this.#control -= 1;
      else delivered(tag);
    }
    const acknowledged = end - this.#head;
    this.#handled += acknowledged;
    this.#head = end;
    if (this.#sum !== undefined) {
      this.#sum.depth -= acknowledged;
      this.#sum.handled += acknowledged;
    }
    if (this.#mask >= MOST_KEPT && end === this.#tail) this.#resize(INITIAL);
    if (this.#barriers.length > 0) this.#pass();
  }

  /** The event of the envelope `n` places behind the oldest; `undefined` when there are fewer. */
  peek(n: number): unknown {
    return n < this.depth ? this.#events[(this.#head + n) & this.#mask] : undefined;
  }

  /** The envelope `n` places behind the oldest, when it was sent and is none of the runtime's own. */
  sentAt(
    n: number,
  ): { readonly event: unknown; readonly tag: Tag; readonly mark: Mark | undefined } | undefined {
    if (!(n >= 0 && n < this.inFlight)) return undefined;
    const index = (this.#head + n) & this.#mask;
    const tag = this.#tags[index] as Tag;
    return tag === CONTROL ? undefined : { event: this.#events[index], tag, mark: this.#marks?.[index] };
  }

  /** The tag of the envelope `n` places behind the oldest, when it was sent and is a delivery. */
  deliverySent(n: number): Tag | undefined {
    if (n < 0 || n >= this.inFlight) return undefined;
    const tag = this.#tags[(this.#head + n) & this.#mask] as Tag;
    return tag < 0 && tag !== CONTROL ? tag : undefined;
  }

  /** The marks of the sent envelopes, from `from` to before `to` places behind the oldest; undefined for none. */
  marksSent(from: number, to: number): Marked[] | undefined {
    if (this.#marks === undefined) return undefined;
    const marks: Marked[] = [];
    const end = Math.min(this.#sent, this.#head + to);
    for (let at = this.#head + Math.max(0, from); at < end; at++) {
      const mark = this.#marks[at & this.#mask];
      if (mark !== undefined) marks.push({ mark, tag: this.#tags[at & this.#mask] as Tag });
    }
    return marks.length === 0 ? undefined : marks;
  }

  /** The tags of the asks among the sent envelopes, from `from` to before `to` places behind the oldest. */
  asksSent(from: number, to: number): Tag[] {
    const [first, end] = [this.#head + Math.max(0, from), Math.min(this.#sent, this.#head + to)];
    return this.#slice(this.#tags, first, end).filter((tag) => tag > 0);
  }

  /** The tags of everything in the mailbox that somebody waits for. */
  awaited(): Tag[] {
    return this.#slice(this.#tags, this.#head, this.#tail).filter((tag) => tag !== 0 && tag !== CONTROL);
  }

  /**
   * Acknowledges the envelope `n` places behind the oldest out of turn: those before it were not handled, and stay.
   * Calls `delivered` as {@link acknowledge} does, and `marked` when it is marked.
   */
  acknowledgeTo(
    n: number,
    delivered: (tag: Tag) => void,
    marked?: (event: unknown, mark: Mark) => void,
  ): void {
    const at = this.#head + n;
    if (at >= this.#tail) return;
    this.handledBeside(1);
    this.#removeUnless(
      (cursor) => cursor !== at,
      this.#head,
      (event, tag, mark) => {
        if (tag < 0) delivered(tag);
        if (mark !== undefined) marked?.(event, mark);
      },
    );
  }

  /** Removes the envelope with that mark. */
  discardMarked(mark: Mark, discard: Discard): void {
    for (let at = this.#head; at < this.#tail; at++)
      if (this.#marks?.[at & this.#mask] === mark) return this.discardAt(at - this.#head, discard);
  }

  /** Removes the envelope with that mark, unless it was sent; returns whether it has. */
  retract(mark: Mark): boolean {
    for (let at = this.#sent; at < this.#tail; at++) {
      if (this.#marks?.[at & this.#mask] !== mark) continue;
      this.discardAt(at - this.#head, () => {});
      return true;
    }
    return false;
  }

  /** The mark of the envelope `n` places behind the oldest, if it has one and is none of the runtime's own. */
  markAt(n: number): Mark | undefined {
    const at = (this.#head + n) & this.#mask;
    return n < this.depth && this.#tags[at] !== CONTROL ? this.#marks?.[at] : undefined;
  }

  /** Removes the envelope `n` places behind the oldest. */
  discardAt(n: number, discard: Discard): void {
    const at = this.#head + n;
    if (n === 0) this.discardFirst(discard);
    else this.#removeUnless((cursor) => cursor !== at, this.#head, discard);
  }

  /** Takes one envelope back from the count of those handled. */
  unhandled(): void {
    this.handledBeside(-1);
  }

  /** Makes every envelope that was sent and not handled wait again, in its old order. */
  rewind(): void {
    this.#backTo(this.#head);
  }

  /** Makes the envelopes sent from `cursor` on wait again, so that they may expire. */
  #backTo(cursor: number): void {
    for (let at = cursor; at < this.#sent; at++) {
      const terms = this.#terms[at & this.#mask] as Terms;
      if (terms !== NO_TERMS) this.#expiresFrom = Math.min(this.#expiresFrom, deadlineOf(terms));
    }
    this.#sent = cursor;
  }

  /**
   * Moves the envelopes that were sent and not acknowledged to a mailbox of their own, where they still count as sent.
   */
  split(): Mailbox {
    const sent = new Mailbox(this.inFlight);
    for (let at = this.#head; at < this.#sent; at++) {
      const index = at & this.#mask;
      const tag = this.#tags[index] as Tag;
      if (tag === CONTROL) sent.offerControl(this.#events[index], this.#marks?.[index]);
      else
        sent.#append(this.#events[index], tag, this.#terms[index] as Terms, undefined, this.#marks?.[index]);
    }
    sent.#sent = sent.#tail;
    this.#removeUnless(
      (at) => at >= this.#sent,
      this.#head,
      () => {},
    );
    return sent;
  }

  /** Removes the oldest envelope. */
  discardFirst(discard: Discard): void {
    if (this.#head === this.#tail) return;
    const index = this.#head & this.#mask;
    const [event, mark] = [this.#events[index], this.#marks?.[index]];
    this.#events[index] = undefined;
    if (this.#marks !== undefined) this.#marks[index] = undefined;
    this.#head += 1;
    if (this.#sum !== undefined) this.#sum.depth -= 1;
    this.#sent = Math.max(this.#sent, this.#head);
    this.#discard(event, this.#tags[index] as Tag, mark, discard);
    if (this.#barriers.length > 0) this.#pass();
  }

  /** Removes everything, oldest first. `discard` gets nothing that is the runtime's own: nobody sent that. */
  clear(discard: Discard): void {
    while (this.#head < this.#tail) {
      const isControl = this.#tags[this.#head & this.#mask] === CONTROL;
      this.discardFirst(isControl ? () => {} : discard);
    }
  }

  /** Removes the envelopes that wait, oldest first; those that were sent stay. */
  discardQueued(discard: Discard): void {
    this.#removeUnless((at) => this.#tags[at & this.#mask] === CONTROL, this.#sent, discard);
  }

  /** Removes the envelopes, waiting or sent, that `keep` refuses, oldest first. */
  discardUnless(keep: (event: unknown) => boolean, discard: Discard): void {
    this.#removeUnless((at) => keep(this.#events[at & this.#mask]), this.#head, discard);
  }

  /** Removes the envelopes, waiting or sent, that somebody waits for, oldest first; marked ones stay. */
  discardAwaited(discard: Discard): void {
    const stays = (index: number): boolean =>
      this.#tags[index] === 0 || this.#tags[index] === CONTROL || this.#marks?.[index] !== undefined;
    this.#removeUnless((at) => stays(at & this.#mask), this.#head, discard);
  }

  /**
   * Removes the envelopes among the last `count` sent that `keep` refuses, and makes the rest of them wait again. For
   * a batch that could not leave because one of its events cannot be cloned.
   */
  takeBack(count: number, keep: (event: unknown) => boolean, discard: Discard): void {
    const sent = this.#sent;
    this.#backTo(sent - count);
    const kept = (at: number): boolean => at >= sent || keep(this.#events[at & this.#mask]);
    this.#removeUnless(kept, this.#sent, discard);
  }

  /** The first place before `end` that has to wait, or `end`. */
  #upTo(end: number): number {
    if (this.#marks === undefined) return end;
    for (let at = this.#sent; at < end; at++) if (this.#marks[at & this.#mask]?.waits === true) return at;
    return end;
  }

  #isTraced(at: number): boolean {
    return this.#traces !== undefined && this.#traces[at & this.#mask] !== undefined;
  }

  #marked(from: number, to: number, moving: object[]): void {
    for (let at = from; at < to; at++) {
      const event = this.#events[at & this.#mask];
      if (markOf(event) !== undefined) moving.push(event as object);
    }
  }

  readonly #eventAt = (at: number): unknown => this.#events[at & this.#mask];

  #asks(from: number, to: number): [tags: Tag[], terms: unknown] {
    return [this.#slice(this.#tags, from, to), condensed(this.#slice(this.#terms, from, to), to - from)];
  }

  #slice<T>(ring: readonly T[], from: number, to: number): T[] {
    const part: T[] = [];
    for (let at = from; at < to; at++) part.push(ring[at & this.#mask] as T);
    return part;
  }

  /** Returns `false` when no envelope waits that may be dropped. Envelopes in flight move into its place. */
  #dropOldest(discard: Discard): boolean {
    let at = this.#sent;
    while (at < this.#tail && !this.#mayGo(at)) at += 1;
    if (at === this.#tail) return false;
    const [event, tag] = [this.#events[at & this.#mask], this.#tags[at & this.#mask] as Tag];
    for (let to = at; to > this.#head; to--) this.#move(to - 1, to);
    this.#events[this.#head & this.#mask] = undefined;
    if (this.#marks !== undefined) this.#marks[this.#head & this.#mask] = undefined;
    this.#head += 1;
    if (this.#sum !== undefined) this.#sum.depth -= 1;
    this.#sent += 1;
    this.#barriers = this.#barriers.map((barrier) =>
      barrier.cursor <= at ? { ...barrier, cursor: barrier.cursor + 1 } : barrier,
    );
    if (this.#barriers.length > 0) this.#pass();
    discard(event, tag, undefined);
    return true;
  }

  /** The runtime's own events stay, and so does what was promised to be kept. */
  #mayGo(at: number): boolean {
    return this.#tags[at & this.#mask] !== CONTROL && this.#marks?.[at & this.#mask] === undefined;
  }

  /** Removes the envelopes from `from` on whose place `keep` refuses, closes the gaps, and then reports them. */
  #removeUnless(keep: (at: number) => boolean, from: number, discard: Discard): void {
    const removed: {
      readonly at: number;
      readonly event: unknown;
      readonly tag: Tag;
      readonly mark: Mark | undefined;
    }[] = [];
    let to = from;
    for (let at = from; at < this.#tail; at++) {
      if (keep(at)) this.#move(at, to++);
      else
        removed.push({
          at,
          event: this.#events[at & this.#mask],
          tag: this.#tags[at & this.#mask] as Tag,
          mark: this.#marks?.[at & this.#mask],
        });
    }
    if (removed.length === 0) return;
    for (let at = to; at < this.#tail; at++) {
      this.#events[at & this.#mask] = undefined;
      if (this.#marks !== undefined) this.#marks[at & this.#mask] = undefined;
    }
    this.#tail = to;
    if (this.#sum !== undefined) this.#sum.depth -= removed.length;
    const before = (cursor: number): number => removed.filter(({ at }) => at < cursor).length;
    this.#sent -= before(this.#sent);
    // Removed envelopes no longer count towards the cursors that others wait for.
    this.#barriers = this.#barriers.map(({ cursor, pass }) => ({ cursor: cursor - before(cursor), pass }));
    if (this.#barriers.length > 0) this.#pass();
    for (const { event, tag, mark } of removed) this.#discard(event, tag, mark, discard);
  }

  #discard(event: unknown, tag: Tag, mark: Mark | undefined, discard: Discard): void {
    if (tag !== CONTROL) return discard(event, tag, mark);
    this.#control -= 1;
    discard(event, 0, undefined);
  }

  #move(from: number, to: number): void {
    if (from === to) return;
    const [source, target] = [from & this.#mask, to & this.#mask];
    this.#events[target] = this.#events[source];
    this.#tags[target] = this.#tags[source] as Tag;
    this.#terms[target] = this.#terms[source] as Terms;
    if (this.#traces !== undefined) this.#traces[target] = this.#traces[source];
    if (this.#marks !== undefined) this.#marks[target] = this.#marks[source];
  }

  #pass(): void {
    const passed = this.#barriers.filter(({ cursor }) => cursor <= this.#head);
    this.#barriers = this.#barriers.filter(({ cursor }) => cursor > this.#head);
    for (const { pass } of passed) pass();
  }

  #grow(): void {
    this.#resize(Math.max(INITIAL, (this.#mask + 1) * 2));
  }

  #resize(size: number): void {
    const events: unknown[] = Array.from({ length: size });
    const tags: Tag[] = Array.from({ length: size }, () => 0);
    const terms: Terms[] = Array.from({ length: size }, () => NO_TERMS);
    const traces = this.#traces && Array.from<Trace | undefined>({ length: size });
    const marks = this.#marks && Array.from<Mark | undefined>({ length: size });
    for (let at = this.#head; at < this.#tail; at++) {
      if (traces !== undefined) traces[at & (size - 1)] = this.#traces?.[at & this.#mask];
      if (marks !== undefined) marks[at & (size - 1)] = this.#marks?.[at & this.#mask];
      events[at & (size - 1)] = this.#events[at & this.#mask];
      tags[at & (size - 1)] = this.#tags[at & this.#mask] as Tag;
      terms[at & (size - 1)] = this.#terms[at & this.#mask] as Terms;
    }
    this.#events = events;
    this.#tags = tags;
    this.#terms = terms;
    this.#traces = traces;
    this.#marks = marks;
    this.#mask = size - 1;
  }
}

function add(sum: MailboxSum, depth: number, capacity: number, handled: number): void {
  sum.depth += depth;
  sum.capacity += capacity;
  sum.handled += handled;
}
