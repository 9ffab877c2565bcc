/**
 * The terms of an envelope: when it expires, how many asks led to it, whether its sender reads a stream, and whether its
 * answer is kept. One number, so that a mailbox needs one array for them.
 */
export type Terms = number;

/** The terms of an envelope that never expires and that no ask led to. */
export const NO_TERMS: Terms = 0;

const DEPTHS = 64;
/** Set when the sender reads a stream of chunks before the reply. */
const STREAMS = 64;
/** Set when the answer is kept with the state after the turn. */
const KEPT = 128;
const UNIT = DEPTHS + STREAMS + KEPT;

/** The longest chain of asks that lead to each other: Dapr's limit for a call stack. */
export const MAX_DEPTH = 32;

/** The latest deadline beside which a number has room for the rest, in the year 3084; a later one is none. */
const LATEST = Math.floor(Number.MAX_SAFE_INTEGER / UNIT) - 2;

/** The terms of an event whose answer is kept. It never expires. */
export const KEPT_TERMS: Terms = KEPT;

/** The same, of an event whose sender reads a stream before the answer. */
export const KEPT_STREAM_TERMS: Terms = KEPT + STREAMS;

/** Packs terms. `deadline` is in whole milliseconds of the host's clock, rounded up; `Infinity` for none. */
export function termsOf(deadline: number, depth: number, streams = false): Terms {
  const low = streams ? STREAMS + depth : depth;
  return deadline > LATEST ? low : (Math.max(0, Math.ceil(deadline)) + 1) * UNIT + low;
}

export function deadlineOf(terms: Terms): number {
  return terms < UNIT ? Infinity : Math.floor(terms / UNIT) - 1;
}

/** The number of asks that led to the envelope. */
export function depthOf(terms: Terms): number {
  return terms % DEPTHS;
}

/** Whether the sender reads a stream of chunks before the reply. */
export function streamsOf(terms: Terms): boolean {
  return terms % KEPT >= STREAMS;
}

/** Whether the answer is kept with the state after the turn. */
export function keptOf(terms: Terms): boolean {
  return terms % UNIT >= KEPT;
}
