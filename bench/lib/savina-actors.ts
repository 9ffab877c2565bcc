/** The micro-benchmarks among actors in threads; the host only starts them and hears of the end. */
export interface Savina {
  /** Round trips between two; says how many came back. */
  readonly pingPong: (rounds: number) => Promise<number>;
  /** One sends, one counts, and says how many it has seen by now. */
  readonly counting: (events: number, burst: number) => Promise<number>;
  /** Hands a token on until no hop is left; says what is left. */
  readonly ring?: (hops: number) => Promise<number>;
  /** Each asks all others in turn; says how many are through. */
  readonly big?: (rounds: number) => Promise<number>;
  readonly stop: () => Promise<unknown>;
}
