import type { Batch } from './batch.ts';
import { condensed, packRun } from './run.ts';
import type { Tag } from './tag.ts';
import { deadlineOf, NO_TERMS, type Terms } from './terms.ts';
import type { Trace } from './trace.ts';
import { markOf } from './transfer.ts';

/** Takes envelopes out of a mailbox without their having been handled. */
export type Discard = (event: unknown, tag: Tag) => void;

/** What makes room in a full mailbox: the new event is refused, or the oldest that still waits goes. */
export type Overflow = 'reject' | 'drop-oldest' | 'drop-newest';

/** Marks what the runtime itself tells an instance: never refused and not counted. Nobody waits for it. */
const CONTROL: Tag = -Infinity;

const INITIAL = 16;
/** In flight at most where the oldest may be dropped: what is in flight cannot be. */
const MAX_UNDROPPABLE = 256;

/**
 * The bounded queue in front of one instance: envelopes that wait, and behind them in time those that were
 * sent to the thread and are not acknowledged yet. Both count against `capacity`. An envelope leaves only when
 * it was handled or discarded, so a thread that dies takes none with it.
 *
 * A ring of events, tags and terms with three cursors: `head <= sent <= tail`.
 */
export class Mailbox {
  /** Envelopes queued or unacknowledged at most; what is in it already stays when it is lowered. */
  capacity: number;
  /** Envelopes that may be in flight at once. */
  readonly maxInFlight: number;
  readonly #overflow: Overflow;
  #events: unknown[] = Array.from({ length: INITIAL });
  #tags: Tag[] = Array.from({ length: INITIAL }, () => 0);
  #terms: Terms[] = Array.from({ length: INITIAL }, () => NO_TERMS);
  /** From the first traced envelope on. */
  #traces: (Trace | undefined)[] | undefined;
  #mask = INITIAL - 1;
  #head = 0;
  #sent = 0;
  #tail = 0;
  #handled = 0;
  #control = 0;
  /** No queued envelope expires earlier. */
  #expiresFrom = Infinity;
  #barriers: { readonly cursor: number; readonly pass: () => void }[] = [];

  constructor(capacity: number, overflow: Overflow = 'reject') {
    this.capacity = capacity;
    this.#overflow = overflow;
    this.maxInFlight =
      overflow === 'drop-oldest' ? Math.max(1, Math.min(MAX_UNDROPPABLE, capacity >> 1)) : Infinity;
  }

  /** Queued plus sent and not acknowledged. */
  get depth(): number {
    return this.#tail - this.#head;
  }

  /** Not sent yet. */
  get queued(): number {
    return this.#tail - this.#sent;
  }

  /** Sent and not acknowledged. */
  get inFlight(): number {
    return this.#sent - this.#head;
  }

  /** Envelopes handled since the mailbox exists. */
  get handled(): number {
    return this.#handled;
  }

  /** Resolves when everything that is in the mailbox now has left it, or with {@link release}. */
  passed(): Promise<void> {
    if (this.depth === 0) return Promise.resolve();
    return new Promise((pass) => {
      this.#barriers.push({ cursor: this.#tail, pass });
    });
  }

  /** Nobody handles what is in it, for now: who waits for it to have left waits no longer. */
  release(): void {
    for (const { pass } of this.#barriers.splice(0)) pass();
  }

  /**
   * Adds an envelope; `false` when the mailbox is full. With `drop-oldest` the oldest that waits makes room, if one
   * does: what the thread already has cannot be dropped.
   */
  offer(
    event: unknown,
    tag: Tag,
    terms: Terms = NO_TERMS,
    dropped: Discard = () => {},
    trace?: Trace,
  ): boolean {
    const full = this.#tail - this.#head - this.#control >= this.capacity;
    if (full && !(this.#overflow === 'drop-oldest' && this.#dropOldest(dropped))) return false;
    this.#append(event, tag, terms, trace);
    return true;
  }

  /** Adds what the runtime itself has to tell; there is always room for it. */
  offerControl(event: unknown): void {
    this.#control += 1;
    this.#append(event, CONTROL, NO_TERMS);
  }

  #append(event: unknown, tag: Tag, terms: Terms, trace?: Trace): void {
    if (this.#tail - this.#head > this.#mask) this.#grow();
    const at = this.#tail & this.#mask;
    this.#events[at] = event;
    this.#tags[at] = tag;
    this.#terms[at] = terms;
    if (trace !== undefined) this.#traces ??= [];
    if (this.#traces !== undefined) this.#traces[at] = trace;
    this.#tail += 1;
    if (terms !== NO_TERMS) this.#expiresFrom = Math.min(this.#expiresFrom, deadlineOf(terms));
  }

  /** Removes what waits and whose time is up at `now`, in milliseconds of the clock that set the deadlines. */
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
   * Appends up to `max` queued envelopes to `batch` as runs (see {@link Batch}) and counts them as sent; those events
   * that are to move, also to `moving`. Returns how many were taken.
   */
  take(batch: Batch, slot: number, max: number, moving?: object[]): number {
    const end = Math.min(this.#tail, this.#sent + max);
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
      } else batch.push(slot, 0, trace.headers, trace.sentAt, trace.told);
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
   * The oldest `count` envelopes were handled; calls `delivered` with the tags of those somebody waits for. An ask's
   * answer comes by itself, with the ack; where no ack can come any more, `unanswered` gets the tags of the asks.
   */
  acknowledge(count: number, delivered: (tag: Tag) => void, unanswered?: (tag: Tag) => void): void {
    // A thread that lies about its progress may claim less than nothing, or more than it got.
    const end = Math.max(this.#head, Math.min(this.#sent, this.#head + count));
    for (let at = this.#head; at < end; at++) {
      const index = at & this.#mask;
      const tag = this.#tags[index] as Tag;
      this.#events[index] = undefined;
      if (tag === 0) continue;
      if (tag > 0) unanswered?.(tag);
      else if (tag === CONTROL) this.#control -= 1;
      else delivered(tag);
    }
    this.#handled += end - this.#head;
    this.#head = end;
    if (this.#barriers.length > 0) this.#pass();
  }

  /** The event of the envelope that is `n` behind the oldest; `undefined` when there are not as many. */
  peek(n: number): unknown {
    return n < this.depth ? this.#events[(this.#head + n) & this.#mask] : undefined;
  }

  /** The tag of the envelope that is `n` behind the oldest, when it was sent and somebody waits for it to be handled. */
  deliverySent(n: number): Tag | undefined {
    if (n < 0 || n >= this.inFlight) return undefined;
    const tag = this.#tags[(this.#head + n) & this.#mask] as Tag;
    return tag < 0 && tag !== CONTROL ? tag : undefined;
  }

  /** Tags of the asks that were sent, of those from `from` to before `to` behind the oldest. */
  asksSent(from: number, to: number): Tag[] {
    const [first, end] = [this.#head + Math.max(0, from), Math.min(this.#sent, this.#head + to)];
    return this.#slice(this.#tags, first, end).filter((tag) => tag > 0);
  }

  /** The one that is `n` behind the oldest was handled, those before it were not; calls `delivered` as `settle` does. */
  acknowledgeTo(n: number, delivered: (tag: Tag) => void): void {
    const at = this.#head + n;
    if (at >= this.#tail) return;
    this.#handled += 1;
    this.#removeUnless(
      (cursor) => cursor !== at,
      this.#head,
      (_event, tag) => tag < 0 && delivered(tag),
    );
  }

  /** Removes the one that is `n` behind the oldest. */
  discardAt(n: number, discard: Discard): void {
    const at = this.#head + n;
    if (n === 0) this.discardFirst(discard);
    else this.#removeUnless((cursor) => cursor !== at, this.#head, discard);
  }

  /** One of those that were settled was not handled after all. */
  unhandled(): void {
    this.#handled -= 1;
  }

  /** Makes everything that was sent and not handled wait again, in its old order. */
  rewind(): void {
    this.#backTo(this.#head);
  }

  /** What was sent from there on waits again, and may expire. */
  #backTo(cursor: number): void {
    for (let at = cursor; at < this.#sent; at++) {
      const terms = this.#terms[at & this.#mask] as Terms;
      if (terms !== NO_TERMS) this.#expiresFrom = Math.min(this.#expiresFrom, deadlineOf(terms));
    }
    this.#sent = cursor;
  }

  /** Takes out what was sent and not acknowledged: a mailbox of its own, in which it is so still. */
  split(): Mailbox {
    const sent = new Mailbox(this.inFlight);
    for (let at = this.#head; at < this.#sent; at++) {
      const index = at & this.#mask;
      const tag = this.#tags[index] as Tag;
      if (tag === CONTROL) sent.offerControl(this.#events[index]);
      else sent.#append(this.#events[index], tag, this.#terms[index] as Terms);
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
    const event = this.#events[index];
    this.#events[index] = undefined;
    this.#head += 1;
    this.#sent = Math.max(this.#sent, this.#head);
    this.#discard(event, this.#tags[index] as Tag, discard);
    if (this.#barriers.length > 0) this.#pass();
  }

  /** Removes everything, oldest first. */
  clear(discard: Discard): void {
    while (this.#head < this.#tail) this.discardFirst(discard);
  }

  /** Removes what waits, oldest first; what was sent stays. */
  discardQueued(discard: Discard): void {
    this.#removeUnless((at) => this.#tags[at & this.#mask] === CONTROL, this.#sent, discard);
  }

  /** Removes those that wait, or were sent, and that `keep` refuses; oldest first. */
  discardUnless(keep: (event: unknown) => boolean, discard: Discard): void {
    this.#removeUnless((at) => keep(this.#events[at & this.#mask]), this.#head, discard);
  }

  /**
   * Removes those of the last `count` sent envelopes that `keep` refuses and makes the rest of them wait again.
   * For a batch that could not leave because one of its events cannot be cloned.
   */
  takeBack(count: number, keep: (event: unknown) => boolean, discard: Discard): void {
    const sent = this.#sent;
    this.#backTo(sent - count);
    const kept = (at: number): boolean => at >= sent || keep(this.#events[at & this.#mask]);
    this.#removeUnless(kept, this.#sent, discard);
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

  /** `false` when nothing waits that may be dropped. What is in flight moves over its place. */
  #dropOldest(discard: Discard): boolean {
    let at = this.#sent;
    while (at < this.#tail && this.#tags[at & this.#mask] === CONTROL) at += 1;
    if (at === this.#tail) return false;
    const [event, tag] = [this.#events[at & this.#mask], this.#tags[at & this.#mask] as Tag];
    for (let to = at; to > this.#head; to--) this.#move(to - 1, to);
    this.#events[this.#head & this.#mask] = undefined;
    this.#head += 1;
    this.#sent += 1;
    this.#barriers = this.#barriers.map((barrier) =>
      barrier.cursor <= at ? { ...barrier, cursor: barrier.cursor + 1 } : barrier,
    );
    if (this.#barriers.length > 0) this.#pass();
    discard(event, tag);
    return true;
  }

  /** Closes the gaps of those from `from` on that `keep` refuses, by their place, and then tells of them. */
  #removeUnless(keep: (at: number) => boolean, from: number, discard: Discard): void {
    const removed: { readonly at: number; readonly event: unknown; readonly tag: Tag }[] = [];
    let to = from;
    for (let at = from; at < this.#tail; at++) {
      if (keep(at)) this.#move(at, to++);
      else
        removed.push({ at, event: this.#events[at & this.#mask], tag: this.#tags[at & this.#mask] as Tag });
    }
    if (removed.length === 0) return;
    for (let at = to; at < this.#tail; at++) this.#events[at & this.#mask] = undefined;
    this.#tail = to;
    const before = (cursor: number): number => removed.filter(({ at }) => at < cursor).length;
    this.#sent -= before(this.#sent);
    // Removed envelopes no longer count towards the cursor that others wait for.
    this.#barriers = this.#barriers.map(({ cursor, pass }) => ({ cursor: cursor - before(cursor), pass }));
    if (this.#barriers.length > 0) this.#pass();
    for (const { event, tag } of removed) this.#discard(event, tag, discard);
  }

  #discard(event: unknown, tag: Tag, discard: Discard): void {
    if (tag === CONTROL) this.#control -= 1;
    discard(event, tag === CONTROL ? 0 : tag);
  }

  #move(from: number, to: number): void {
    if (from === to) return;
    const [source, target] = [from & this.#mask, to & this.#mask];
    this.#events[target] = this.#events[source];
    this.#tags[target] = this.#tags[source] as Tag;
    this.#terms[target] = this.#terms[source] as Terms;
    if (this.#traces !== undefined) this.#traces[target] = this.#traces[source];
  }

  #pass(): void {
    const passed = this.#barriers.filter(({ cursor }) => cursor <= this.#head);
    this.#barriers = this.#barriers.filter(({ cursor }) => cursor > this.#head);
    for (const { pass } of passed) pass();
  }

  #grow(): void {
    const size = (this.#mask + 1) * 2;
    const events: unknown[] = Array.from({ length: size });
    const tags: Tag[] = Array.from({ length: size }, () => 0);
    const terms: Terms[] = Array.from({ length: size }, () => NO_TERMS);
    const traces = this.#traces && Array.from<Trace | undefined>({ length: size });
    for (let at = this.#head; at < this.#tail; at++) {
      if (traces !== undefined) traces[at & (size - 1)] = this.#traces?.[at & this.#mask];
      events[at & (size - 1)] = this.#events[at & this.#mask];
      tags[at & (size - 1)] = this.#tags[at & this.#mask] as Tag;
      terms[at & (size - 1)] = this.#terms[at & this.#mask] as Terms;
    }
    this.#events = events;
    this.#tags = tags;
    this.#terms = terms;
    this.#traces = traces;
    this.#mask = size - 1;
  }
}
