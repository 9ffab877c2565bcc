import type { SecretCause, SecretNews } from '../../actors/secret-entry.ts';
import type { SeenSecret } from '../base/seen-secret.ts';

/**
 * The event that an agent gets when a secret it is granted changes: metadata only, never a value, a hash or a length.
 * Delivered at least once and coalesced: of several changes in a row the agent may get only the last.
 */
export interface SecretEvent {
  /**
   * - `secret.rotated`: another version is used from now on
   * - `secret.stale`: it cannot be refreshed for now; the version held is used until `graceUntil`
   * - `secret.recovered`: it is current again
   * - `secret.revoked`: the provider refuses it, and it is no longer used
   * - `secret.unavailable`: it is not available for now
   */
  readonly type: `secret.${SecretNews['type']}`;
  readonly v: 1;
  /** Unique for each event. */
  readonly id: string;
  /** `secret:<instance address>/<label>`. */
  readonly handle: string;
  readonly label: string;
  /**
   * Grows with each change of this secret, also when it goes back to an older version: while the host runs, and for an
   * instance of a durable agent over all processes.
   */
  readonly epoch: number;
  /** Absent when no version was ever fetched. */
  readonly versionId?: string;
  readonly previousVersionId?: string;
  /** The staging label that is followed, `AWSCURRENT` by default. */
  readonly stage: string;
  /**
   * The cause: a hint of the provider, a poll or a use, a service that refused the version, a requested refresh, or a
   * return to a version that was current before.
   */
  readonly cause: SecretCause;
  /** Only with `secret.stale`: until when the version held is used, in milliseconds since the epoch. */
  readonly graceUntil?: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

const TROUBLE = {
  'secret.rotated': undefined,
  'secret.recovered': undefined,
  'secret.stale': 'stale',
  'secret.revoked': 'revoked',
  'secret.unavailable': 'unavailable',
} as const;

/** What an instance knows when it has handled the event. */
export function seenIn({ type, label, versionId, epoch }: SecretEvent): SeenSecret {
  return { label, versionId, epoch, trouble: TROUBLE[type] };
}
