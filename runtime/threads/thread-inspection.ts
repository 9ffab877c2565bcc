/** The thread from which inspection events come. */
export interface InspectedThread {
  readonly threadId: string;
  readonly n: number;
  readonly name: string;
}

/** The receiver of a thread's inspection events. */
export interface ThreadInspection {
  /** Whether instances of the agent are inspected. */
  wants(agent: { readonly name: string; readonly threadId: string }): boolean;
  /** Takes the events of a thread, which may send anything. Returns `false` when some of them cannot be shown. */
  fromThread(thread: InspectedThread, events: unknown, sampled: unknown): boolean;
  /** Resolves when a thread may show more; undefined: at once. */
  room(): Promise<void> | undefined;
}
