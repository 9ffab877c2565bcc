import type { Tag } from './tag.ts';

/**
 * What is kept of an envelope beside it, because it was promised to be: a row in a store, or what becomes of an id. Of the
 * runtime's own: what its recipient knows once it has handled it.
 */
export interface Mark {
  /** The number of its row; 0: it has none. */
  readonly n: number;
  /** Whether it has to wait, and all that is behind it, until it is known whether it was handled before. */
  readonly waits?: boolean;
}

/** A marked envelope, by its mark and its tag. */
export interface Marked {
  readonly mark: Mark;
  readonly tag: Tag;
}
