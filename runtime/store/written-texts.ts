import { TEXTS_AHEAD } from '../base/large-state.ts';
import type { DurableRecord, StateParts } from './durable-store.ts';
import type { StateTexts } from './state-texts.ts';
import { bytesOf, MOST_BYTES } from './told-state.ts';
import type { LastState } from './turn-draft.ts';

/** The long texts of one instance that the store has, or is about to have, so that each is written once. */
export class WrittenTexts {
  /** Undefined: it has others, or none. */
  #stored: StateTexts | undefined;
  #bytes = 0;
  #bytesAhead = 0;

  /** The bytes of the last record, with those of its texts that went ahead. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether texts can go ahead of their state. */
  isAhead(texts: StateTexts | undefined): boolean {
    // One that has another large state before all of the last one has left is to be written at some time.
    return this.#bytesAhead <= MOST_BYTES && texts?.hasMore(this.#stored) === true;
  }

  /** The next of them, when they {@link isAhead can go ahead}; `isLast`: the state can follow. */
  next(texts: StateTexts): { readonly added: StateParts['added']; readonly isLast: boolean } {
    const { added, stored } = texts.next(this.#stored as StateTexts, TEXTS_AHEAD);
    this.#stored = stored;
    this.#bytesAhead += texts.bytesOf(added.map(([number]) => number));
    return { added, isLast: !texts.hasMore(stored) };
  }

  /** The record for the store, with no more of its long texts than the store has not. */
  record(
    { incarnation, version, state, texts, dueAt, wakes, quarantined }: LastState,
    { address, seq, meta }: Pick<DurableRecord, 'address' | 'seq' | 'meta'>,
  ): DurableRecord {
    const record = { address, incarnation, seq, version, state, meta, dueAt, wakes, quarantined };
    const parts = texts?.partsAfter(state as string, this.#stored);
    this.#stored = texts;
    this.#bytes = bytesOf(state) + this.#bytesAhead;
    this.#bytesAhead = 0;
    if (texts === undefined || parts === undefined) return record;
    this.#bytes += texts.bytesOf(parts.added.map(([number]) => number));
    return wholeRecord(record, texts, parts);
  }
}

/** A record whose state is put together only for a store that keeps it whole. */
function wholeRecord(record: DurableRecord, texts: StateTexts, parts: StateParts): DurableRecord {
  const { state } = record;
  return Object.defineProperty({ ...record, parts }, 'state', {
    get: () => texts.whole(state as string),
    enumerable: true,
  });
}
