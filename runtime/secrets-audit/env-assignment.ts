/** An assignment of an `.env`. Offsets are into the text; an end is behind the last character. */
export interface EnvAssignment {
  readonly name: string;
  /** As the program gets it: without quotes, and with line breaks for the `\n` of double quotes. */
  readonly value: string;
  /** The whole of it over all its lines: with `export`, and with the comment behind it. */
  readonly start: number;
  /** Before the line break. */
  readonly end: number;
  /** The value without its quotes. */
  readonly valueStart: number;
  readonly valueEnd: number;
}
