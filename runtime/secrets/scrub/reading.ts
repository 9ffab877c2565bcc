import type { Span } from './pattern-index.ts';

/** A text as it reads without its escapes, and where in the text that was given what it says stands. */
export interface Reading {
  readonly text: string;
  /** The place in the given text that a place in this one comes from, with all of each escape in it. */
  toSource(span: Span): Span;
}
