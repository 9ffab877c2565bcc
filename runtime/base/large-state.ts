import type { NewTexts } from './marked-text.ts';

/**
 * The characters, or bytes, of a state to be written at once above which it does not go with others, which would wait for it. It
 * takes about as long to write as a hundred states of a few KB.
 */
export const LARGE_STATE = 256 * 1024;

/** The characters of long texts that one transaction takes ahead of their state: others wait a few milliseconds for them. */
export const TEXTS_AHEAD = 512 * 1024;

/** Whether so much of an encoded state and of its new texts is written that the others would wait for it. */
export function isLarge({ length }: { readonly length: number }, texts: NewTexts): boolean {
  let all = length;
  for (const text of texts) if (typeof text === 'string') all += text.length;
  return all > LARGE_STATE;
}
