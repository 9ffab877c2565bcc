/**
 * What an agent hears when a secret it is granted changes: metadata only, never a value, a hash or a length.
 * Delivered at least once and coalesced: of several changes in a row the agent may hear the last alone.
 */
export interface SecretEvent {
  readonly type: 'secret.rotated';
  readonly v: 1;
  /** Unique for each event. */
  readonly id: string;
  /** `secret:<instance address>/<label>`. */
  readonly handle: string;
  readonly label: string;
  /** Grows with each change of this secret while the host runs, also when it goes back to an older version. */
  readonly epoch: number;
  readonly versionId: string;
  readonly previousVersionId?: string;
  /** The staging label that is followed, `AWSCURRENT` by default. */
  readonly stage: string;
  /** Found at a poll or a use, at a refresh that was asked for, or the version is one that was current before. */
  readonly cause: 'poll' | 'manual' | 'rollback';
  /** Milliseconds since the epoch. */
  readonly at: number;
}
