/** Milliseconds before the first of several further attempts, and at most. */
const FIRST_MS = 200;
const MOST_MS = 10_000;

/** Milliseconds before attempt `n` (from 0): twice as many each time, half of them by chance, so that clients that lost the same gateway do not all come at once. */
export function backoffMs(n: number): number {
  const whole = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(n, 16));
  return whole / 2 + Math.random() * (whole / 2);
}
