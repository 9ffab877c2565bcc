import type { Scrubber } from '../secrets/scrub/scrubber.ts';
import type { NewTexts } from '../base/marked-text.ts';
import { decodeEvent } from '../wire/encoded-state.ts';

const NO_TEXTS: NewTexts = [];

/**
 * Returns a search for values of secrets in what is encoded, a state or any value, which returns the path to the first one. Text is searched as it
 * is, since a value stands in it as it is or in escapes, and taken apart only for the path; bytes may hold it in a form
 * that only decoding shows. `texts` are the long texts of a state that stand outside of it.
 */
export function secretInEncoded(
  scrubber: Scrubber,
): (state: unknown, texts?: NewTexts) => readonly string[] | undefined {
  const search = (state: unknown): readonly string[] | undefined => {
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
  return (state, texts = NO_TEXTS) => {
    if (scrubber.size === 0) return undefined;
    return search(state) ?? (texts.length === 0 ? undefined : search(inOrder(texts)));
  };
}

/** A value may stand where a text was cut. */
function inOrder(texts: NewTexts): string {
  return texts.filter((text) => typeof text === 'string').join('');
}
