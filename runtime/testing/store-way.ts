/** The way between a process and its store, which keeps the order in both directions. */
export interface StoreWay {
  /** Resolves when a call comes to the store. */
  there(call: string): Promise<void>;
  /** The store is at work, for which everything waits that waits for quiet. */
  work<T>(work: Promise<T>): Promise<T>;
  /** Resolves when an answer comes back. */
  back(call: string): Promise<void>;
  /** What is under way comes at once. */
  cut(): void;
}
