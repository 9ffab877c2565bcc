/** What each of the counting agents understands. */
export type CounterEvent =
  | { type: 'tick'; n: number }
  /** Counts as well, and is answered with its `n`. */
  | { type: 'add'; n: number }
  /** Is answered with the count. */
  | { type: 'read' };
