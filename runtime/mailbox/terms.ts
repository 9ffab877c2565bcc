/**
 * The terms of an envelope: when it expires, and how many asks led to it. One number, so that a mailbox needs one
 * array for them.
 */
export type Terms = number;

/** The terms of an envelope that never expires and that no ask led to. */
export const NO_TERMS: Terms = 0;

const DEPTHS = 64;

/** The longest chain of asks that lead to each other: Dapr's limit for a call stack. */
export const MAX_DEPTH = 32;

/** Packs terms. `deadline` is in whole milliseconds of the host's clock, rounded up; `Infinity` for none. */
export function termsOf(deadline: number, depth: number): Terms {
  return deadline === Infinity ? depth : (Math.ceil(deadline) + 1) * DEPTHS + depth;
}

export function deadlineOf(terms: Terms): number {
  return terms < DEPTHS ? Infinity : Math.floor(terms / DEPTHS) - 1;
}

/** The number of asks that led to the envelope. */
export function depthOf(terms: Terms): number {
  return terms % DEPTHS;
}
