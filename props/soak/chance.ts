/** Numbers that look random and are the same again for the same seed (mulberry32). */
export interface Chance {
  /** From 0 to below 1. */
  readonly next: () => number;
  /** A whole number from 0 to below `n`. */
  readonly below: (n: number) => number;
  /** One of these. */
  readonly of: <T>(list: readonly T[]) => T;
  /** A stream of its own, so that what one part draws changes nothing for another. */
  readonly fork: () => Chance;
}

export function chanceOf(seed: number): Chance {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number): number => Math.floor(next() * n);
  return {
    next,
    below,
    of: (list) => list[below(list.length)] as never,
    fork: () => chanceOf(below(2 ** 32)),
  };
}
