import { HoldfastError } from '../base/errors.ts';

/**
 * Shared memory in which a thread notes its progress: the slot whose envelope is in hand, the number of its turn, and
 * how many envelopes each slot has handled. The host reads it after a crash, when the thread can no longer be asked,
 * and so knows exactly which envelopes were handled, which one was in hand and which were not begun.
 */
export interface Progress {
  readonly buffer: SharedArrayBuffer;
  /** Notes that a turn of `slot` begins. */
  begin(slot: number): void;
  /** Notes that the turn has ended. */
  end(slot: number): void;
  /** The number of envelopes that `slot` has handled, modulo 2^32. */
  handled(slot: number): number;
  /** Counts an event that `slot` has to tell the host: one that it emitted, or sent to its parent. */
  tell(slot: number): void;
  /** Takes back the count of an event that is left behind after all. */
  untell(slot: number): void;
  /** The number of events that `slot` had to tell, modulo 2^32: shows whether the host has heard all of them. */
  told(slot: number): number;
  /** The slot whose envelope is in hand, or -1. */
  inHand(): number;
  /** The number of turns begun, modulo 2^32: a turn in hand with the same number has not ended. */
  turns(): number;
  /** Notes that the host has looked at the thread. */
  look(): void;
  /** The number of looks, modulo 2^32: a measure of time that costs the thread nothing. */
  looks(): number;
  /** Makes room for `slot`; only the side that created the block may grow it. */
  reserve(slot: number): void;
}

const IN_HAND = 0;
const TURNS = 1;
const LOOKS = 2;
const FIRST_SLOT = 3;
const BYTES = Int32Array.BYTES_PER_ELEMENT;
/** The words of a slot: envelopes handled, and events told. */
const WORDS = 2;
/** An instance takes eight bytes: room for a million instances on one thread. */
const MAX_BYTES = 8 * 1024 * 1024;

export function createProgress(): Progress {
  return openProgress(new SharedArrayBuffer(64 * BYTES, { maxByteLength: MAX_BYTES }));
}

export function openProgress(buffer: SharedArrayBuffer): Progress {
  // A view of a fixed length is read many times as fast as one that follows a growing buffer.
  let words = viewOf(buffer);
  const head = new Int32Array(buffer, 0, FIRST_SLOT);
  const at = (slot: number): number => {
    const place = FIRST_SLOT + slot * WORDS;
    if (place + 1 >= words.length) words = viewOf(buffer);
    return place;
  };
  return {
    buffer,
    begin(slot) {
      head[TURNS] = (head[TURNS] ?? 0) + 1;
      head[IN_HAND] = slot + 1;
    },
    end(slot) {
      const place = at(slot);
      words[place] = (words[place] ?? 0) + 1;
      head[IN_HAND] = 0;
    },
    handled(slot) {
      const place = at(slot);
      return words[place] ?? 0;
    },
    tell(slot) {
      const place = at(slot) + 1;
      words[place] = (words[place] ?? 0) + 1;
    },
    untell(slot) {
      const place = at(slot) + 1;
      words[place] = (words[place] ?? 0) - 1;
    },
    told(slot) {
      const place = at(slot) + 1;
      return words[place] ?? 0;
    },
    inHand: () => Atomics.load(head, IN_HAND) - 1,
    turns: () => Atomics.load(head, TURNS),
    look() {
      Atomics.add(head, LOOKS, 1);
    },
    looks: () => head[LOOKS] ?? 0,
    reserve(slot) {
      const needed = (FIRST_SLOT + (slot + 1) * WORDS) * BYTES;
      if (needed <= buffer.byteLength) return;
      if (needed > MAX_BYTES) throw noRoom();
      buffer.grow(Math.min(MAX_BYTES, Math.max(needed, buffer.byteLength * 2)));
    },
  };
}

function viewOf(buffer: SharedArrayBuffer): Int32Array {
  return new Int32Array(buffer, 0, Math.floor(buffer.byteLength / BYTES));
}

function noRoom(): HoldfastError {
  return new HoldfastError(
    'POOL_EXHAUSTED',
    'a thread counts no more than a million instances and links between agents; raise maxThreads of its pool',
  );
}
