import { encodings } from '../scrub/encodings.ts';
import { findCarrier } from '../scrub/found-parts.ts';
import { SHORTEST } from '../scrub/pattern-index.ts';
import { readingsOf } from '../scrub/unescape.ts';
import type { Wanted } from '../scrub/worth-reading.ts';

/** Shorter values turn up by chance, so they are not searched for. */
export const shortestGuarded = SHORTEST;

/**
 * Whether `found` carries the value anywhere ({@link findCarrier}), as itself or in one of its {@link encodings},
 * escaped, or encoded once more ({@link readingsOf}). A part that cannot be walked (functions, proxies that throw)
 * cannot be cloned to a thread either.
 */
export function carriesValue(found: unknown, value: Buffer): boolean {
  if (value.length < shortestGuarded) return false;
  const forms = encodings(value);
  try {
    // In both readings, because a binary value became text either as UTF-8 or as latin1.
    const carriesAsItIs = (text: string): boolean =>
      text.length >= shortestGuarded / MOST_BYTES &&
      (carriesForm(Buffer.from(text, 'utf8'), forms) || carriesForm(Buffer.from(text, 'latin1'), forms));
    const carries = (text: string): boolean => {
      if (carriesAsItIs(text)) return true;
      for (const reading of readingsOf(text, anything, true)) if (carriesAsItIs(reading.text)) return true;
      return false;
    };
    return findCarrier(found, carries) !== undefined;
  } finally {
    for (const form of forms) form.fill(0);
  }
}

const anything: Wanted = { mayHave: () => true, mayBegin: () => true, hasSpace: true, shortest: SHORTEST };

/** The most bytes of UTF-8 that one unit of a string may stand for. */
const MOST_BYTES = 3;

function carriesForm(bytes: Buffer, forms: readonly Buffer[]): boolean {
  return forms.some((form) => bytes.includes(form));
}
