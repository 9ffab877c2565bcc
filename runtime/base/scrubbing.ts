/** Takes the values of secrets out of what leaves the process. */
export interface Scrubbing {
  /** The text without values; the same text when it has none. */
  scrubText(this: void, text: string): string;
  /**
   * The same without values, anywhere in strings, keys, bytes, errors, maps, sets, arrays and objects. The same
   * reference when there are none, else a copy; never throws.
   */
  scrub<T>(this: void, found: T): T;
}
