import { distance } from 'fastest-levenshtein';

/** A name a user may have meant, and what to print for it when that differs. */
export interface Candidate {
  readonly name: string;
  readonly print?: string;
}

/**
 * The candidate that is closest to what was written, if any is close enough: at most a third of its length
 * away (at least 1, or 2 from four letters on). Case, `-` and `_` do not count, so `thread_id` finds
 * `threadId`; a forgotten unit counts as 1, so `min` finds `minMs`.
 */
export function closest(written: string, candidates: readonly (string | Candidate)[]): string | undefined {
  const wanted = normalise(written);
  // A key of a megabyte would keep the distance busy for seconds; no name is that long.
  if (wanted.length === 0 || wanted.length > 100) return undefined;
  const limit = Math.max(wanted.length < 4 ? 1 : 2, Math.floor(wanted.length / 3));
  let best: { print: string; away: number } | undefined;
  for (const candidate of candidates) {
    const { name, print = name } = typeof candidate === 'string' ? { name: candidate } : candidate;
    const normal = normalise(name);
    const away = normal === `${wanted}ms` ? 1 : distance(wanted, normal);
    if (away <= limit && away < (best?.away ?? Infinity)) best = { print, away };
  }
  return best?.print;
}

/** `; did you mean "x"?`, or nothing. */
export function didYouMean(written: string, candidates: readonly (string | Candidate)[]): string {
  const found = closest(written, candidates);
  return found === undefined ? '' : `; did you mean "${found}"?`;
}

function normalise(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, '');
}
