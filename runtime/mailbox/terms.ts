/**
 * What an envelope carries besides its event and tag, in one number so that a mailbox needs one array for it: when
 * it expires, and how many asks led to it.
 */
export type Terms = number;

/** Never expires, and no ask led to it. */
export const NO_TERMS: Terms = 0;

const DEPTHS = 64;

/** Asks that may lead to each other at most: Dapr's limit for a call stack. */
export const MAX_DEPTH = 32;

/** `deadline` in whole milliseconds of the host's clock, rounded up; `Infinity` for none. */
export function termsOf(deadline: number, depth: number): Terms {
  return deadline === Infinity ? depth : (Math.ceil(deadline) + 1) * DEPTHS + depth;
}

export function deadlineOf(terms: Terms): number {
  return terms < DEPTHS ? Infinity : Math.floor(terms / DEPTHS) - 1;
}

/** Asks above this one. */
export function depthOf(terms: Terms): number {
  return terms % DEPTHS;
}
