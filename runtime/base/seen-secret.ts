/** Where a secret stood when the state of an instance was last told of it; metadata only. */
export interface SeenSecret {
  readonly label: string;
  /** Absent when the state was never told a version. */
  readonly versionId?: string | undefined;
  readonly epoch: number;
  /** Why it was not current; absent when it was. */
  readonly trouble?: 'stale' | 'revoked' | 'unavailable' | undefined;
}

/** What the state of an instance knows of its secrets, over the ends of processes. */
export interface SeenSecrets {
  /** Returns what it knows of the secret with that label. */
  seenOf(label: string): SeenSecret | undefined;
  /** It knows that from now on. */
  saw(seen: SeenSecret): void;
}
