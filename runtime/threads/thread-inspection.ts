/** The thread that inspection events come from. */
export interface InspectedThread {
  readonly threadId: string;
  readonly n: number;
  readonly name: string;
}

/** Where a thread's inspection events go. */
export interface ThreadInspection {
  /** Whether instances of the agent are inspected. */
  wants(agent: { readonly name: string; readonly threadId: string }): boolean;
  /** Events of a thread, which may send anything. `false`: some of them are not to be shown. */
  fromThread(thread: InspectedThread, events: unknown, sampled: unknown): boolean;
}
