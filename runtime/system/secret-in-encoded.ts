import type { Scrubber } from '../secrets/scrub/scrubber.ts';
import { decodeEvent } from '../wire/encoded-state.ts';

/**
 * Returns a search for values of secrets in what is encoded, a state or any value, which returns the path to the first one. Text is searched as it
 * is, since a value stands in it as it is or in escapes, and taken apart only for the path; bytes may hold it in a form
 * that only decoding shows.
 */
export function secretInEncoded(scrubber: Scrubber): (state: unknown) => readonly string[] | undefined {
  return (state) => {
    if (scrubber.size === 0) return undefined;
    if (typeof state === 'string' && scrubber.find(state) === undefined) return undefined;
    let decoded: unknown;
    try {
      decoded = decodeEvent(state);
    } catch {
      // Nobody can read it; it is looked at as it is.
      return scrubber.find(state);
    }
    return scrubber.find(decoded) ?? scrubber.find(state);
  };
}
