/** The most fields and items of a value that may be `undefined` in text. */
export const MOST_MISSING = 256;

/** Whether a value says itself what JSON makes of it. */
export function hasToJson(value: object): boolean {
  return typeof (value as { toJSON?: unknown }).toJSON === 'function';
}
