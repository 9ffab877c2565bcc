import { packRun } from './run.ts';

/**
 * Marks an envelope whose sender waits for something: `0` nobody waits, `> 0` an ask that wants a reply,
 * `< 0` a delivery that wants to know when it was handled. The number finds the waiting promise.
 */
export type Tag = number;

/** Takes envelopes out of a mailbox without their having been handled. */
export type Discard = (event: unknown, tag: Tag) => void;

const INITIAL = 16;

/**
 * The bounded queue in front of one instance: envelopes that wait, and behind them in time those that were
 * sent to the thread and are not acknowledged yet. Both count against `capacity`. An envelope leaves only when
 * it was handled or discarded, so a thread that dies takes none with it.
 *
 * A ring of events and tags with three cursors: `head <= sent <= tail`.
 */
export class Mailbox {
  readonly capacity: number;
  #events: unknown[] = Array.from({ length: INITIAL });
  #tags: Tag[] = Array.from({ length: INITIAL }, () => 0);
  #mask = INITIAL - 1;
  #head = 0;
  #sent = 0;
  #tail = 0;
  #handled = 0;
  #barriers: { readonly cursor: number; readonly pass: () => void }[] = [];

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** Queued plus sent and not acknowledged. */
  get depth(): number {
    return this.#tail - this.#head;
  }

  /** Not sent yet. */
  get queued(): number {
    return this.#tail - this.#sent;
  }

  /** Envelopes handled since the mailbox exists. */
  get handled(): number {
    return this.#handled;
  }

  /** Resolves when everything that is in the mailbox now has left it. */
  passed(): Promise<void> {
    if (this.depth === 0) return Promise.resolve();
    return new Promise((pass) => {
      this.#barriers.push({ cursor: this.#tail, pass });
    });
  }

  /** Adds an envelope; `false` when the mailbox is full. */
  offer(event: unknown, tag: Tag): boolean {
    if (this.#tail - this.#head >= this.capacity) return false;
    if (this.#tail - this.#head > this.#mask) this.#grow();
    const at = this.#tail & this.#mask;
    this.#events[at] = event;
    this.#tags[at] = tag;
    this.#tail += 1;
    return true;
  }

  /**
   * Appends up to `max` queued envelopes to `batch` as runs (see {@link Batch}) and counts them as sent.
   * Returns how many were taken.
   */
  take(batch: unknown[], slot: number, max: number): number {
    const end = Math.min(this.#tail, this.#sent + max);
    const taken = end - this.#sent;
    let at = this.#sent;
    while (at < end) {
      const tag = this.#tags[at & this.#mask] as Tag;
      if (tag > 0) {
        batch.push(slot, -1, tag, this.#events[at & this.#mask]);
        at += 1;
        continue;
      }
      let over = at;
      while (over < end && (this.#tags[over & this.#mask] as Tag) <= 0) over += 1;
      const packed = packRun(this.#eventAt, at, over);
      if (packed !== undefined) {
        batch.push(slot, -2, packed.length, packed.keys, packed.columns);
        at += packed.length;
        continue;
      }
      batch.push(slot, over - at);
      for (; at < over; at++) batch.push(this.#events[at & this.#mask]);
    }
    this.#sent = end;
    return taken;
  }

  /**
   * The oldest `count` envelopes were handled; calls `delivered` with the tags of those somebody waits for. An ask's
   * answer comes by itself, with the ack; where no ack can come any more, `unanswered` gets the tags of the asks.
   */
  settle(count: number, delivered: (tag: Tag) => void, unanswered?: (tag: Tag) => void): void {
    // A thread that lies about its progress may claim less than nothing, or more than it got.
    const end = Math.max(this.#head, Math.min(this.#sent, this.#head + count));
    for (let at = this.#head; at < end; at++) {
      const index = at & this.#mask;
      const tag = this.#tags[index] as Tag;
      this.#events[index] = undefined;
      if (tag < 0) delivered(tag);
      else if (tag > 0) unanswered?.(tag);
    }
    this.#handled += end - this.#head;
    this.#head = end;
    if (this.#barriers.length > 0) this.#pass();
  }

  /** Makes everything that was sent and not handled wait again, in its old order. */
  rewind(): void {
    this.#sent = this.#head;
  }

  /** Removes the oldest envelope. */
  discardFirst(discard: Discard): void {
    if (this.#head === this.#tail) return;
    const index = this.#head & this.#mask;
    const event = this.#events[index];
    this.#events[index] = undefined;
    this.#head += 1;
    this.#sent = Math.max(this.#sent, this.#head);
    discard(event, this.#tags[index] as Tag);
    if (this.#barriers.length > 0) this.#pass();
  }

  /** Removes everything, oldest first. */
  clear(discard: Discard): void {
    while (this.#head < this.#tail) this.discardFirst(discard);
  }

  /**
   * Removes those of the last `count` sent envelopes that `keep` refuses and makes the rest of them wait again.
   * For a batch that could not leave because one of its events cannot be cloned.
   */
  takeBack(count: number, keep: (event: unknown) => boolean, discard: Discard): void {
    const from = this.#sent - count;
    const kept: [unknown, Tag][] = [];
    const refused: [unknown, Tag][] = [];
    const refusedAt: number[] = [];
    for (let at = from; at < this.#tail; at++) {
      const pair: [unknown, Tag] = [this.#events[at & this.#mask], this.#tags[at & this.#mask] as Tag];
      this.#events[at & this.#mask] = undefined;
      if (at >= this.#sent || keep(pair[0])) {
        kept.push(pair);
      } else {
        refused.push(pair);
        refusedAt.push(at);
      }
    }
    this.#sent = from;
    this.#tail = from;
    for (const [event, tag] of kept) this.offer(event, tag);
    // Refused envelopes no longer count towards the cursor that others wait for.
    this.#barriers = this.#barriers.map(({ cursor, pass }) => ({
      cursor: cursor - refusedAt.filter((at) => at < cursor).length,
      pass,
    }));
    if (this.#barriers.length > 0) this.#pass();
    for (const [event, tag] of refused) discard(event, tag);
  }

  readonly #eventAt = (at: number): unknown => this.#events[at & this.#mask];

  #pass(): void {
    const passed = this.#barriers.filter(({ cursor }) => cursor <= this.#head);
    this.#barriers = this.#barriers.filter(({ cursor }) => cursor > this.#head);
    for (const { pass } of passed) pass();
  }

  #grow(): void {
    const size = (this.#mask + 1) * 2;
    const events: unknown[] = Array.from({ length: size });
    const tags: Tag[] = Array.from({ length: size }, () => 0);
    for (let at = this.#head; at < this.#tail; at++) {
      events[at & (size - 1)] = this.#events[at & this.#mask];
      tags[at & (size - 1)] = this.#tags[at & this.#mask] as Tag;
    }
    this.#events = events;
    this.#tags = tags;
    this.#mask = size - 1;
  }
}

/**
 * What crosses to a thread in one call: a flat array of runs, because structured clone pays for objects.
 * `slot, n, event × n` for envelopes without a reply, `slot, -2, n, keys, columns` for such of one shape (see
 * `packRun`), `slot, -1, tag, event` for an ask.
 */
export type Batch = unknown[];
