/** The most events of one instance that wait in a store: beyond it nothing more is taken. */
export const MOST_ROWS = 100_000;
