/** A source of chance: the next number in [0, 1). */
export type Random = () => number;

/**
 * The `n`th of the sources that follow from a seed (mulberry32, whose period of 2^32 is enough for a test). One of its
 * own for each use, so that drawing from one moves no other.
 */
export function seeded(seed: number, n = 0): Random {
  let state = (seed + Math.imul(n + 1, 0x9e3779b9)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A seed nobody chose, unless the environment does. */
export function anySeed(): number {
  const { HOLDFAST_TEST_SEED: given } = process.env;
  return given === undefined || given === '' ? Math.floor(Math.random() * 2 ** 32) : Number(given) >>> 0;
}
