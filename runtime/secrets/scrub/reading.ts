import type { Span } from './pattern-index.ts';

/** A text as it reads without its escapes, with the way back to places in the given text. */
export interface Reading {
  readonly text: string;
  /** The span of the given text that a span of this one comes from, with every escape in it complete. */
  toSource(span: Span): Span;
  /**
   * The place in the given text up to which the reading stays as it is, whatever follows the text. Undefined when the
   * reading is of a part that has ended.
   */
  readonly certain?: number;
}
