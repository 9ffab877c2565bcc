/** The way from another agent to an instance, as it is counted. */
export interface CountedLink {
  /** The number of the link. */
  readonly key: number;
  /** The index in the shared progress that counts what was handled. */
  readonly slot: number;
}
