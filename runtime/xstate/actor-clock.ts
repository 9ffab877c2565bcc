/** Runs and cancels delayed functions; XState's own `Clock`. */
export interface Clock {
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
  /** Milliseconds since the epoch. Default: `Date.now`. */
  date?(): number;
}
