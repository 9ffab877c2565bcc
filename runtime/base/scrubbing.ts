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

/** Takes values out of one text that comes in chunks, wherever it is cut. */
export interface TextScrubbing {
  /** What may go on of all that came so far: what may be the beginning of a value is held back. */
  push(chunk: string): string;
  /** What was held back. No chunk may follow. */
  end(): string;
  /** The UTF-16 units that are held back. */
  readonly held: number;
}

/** The same for texts that come in chunks as well. */
export interface StreamScrubbing extends Scrubbing {
  /** Begins a text. */
  textStream(this: void): TextScrubbing;
}
