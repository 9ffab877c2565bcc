import type { SecretEntryContext } from '../../actors/secret-entry.ts';
import type { SecretEntryRef } from '../../actors/secrets.ts';
import type { SecretsActorRef } from './secrets-logic.ts';

/** One secret as `status` shows it: JSON-safe, no value, hash or length. */
export interface SecretStatus {
  /** The provider's alias. */
  readonly provider: string;
  readonly id: string;
  readonly stage: string;
  readonly versionId?: string;
  /** 0: never fetched. */
  readonly epoch: number;
  readonly state: 'cold' | 'fetching' | 'refreshing' | 'fresh' | 'stale' | 'failed' | 'refused';
  /** Milliseconds since the value was fetched or found unchanged. */
  readonly ageMs?: number;
  /** Why the last fetch failed. */
  readonly failure?: NonNullable<SecretEntryContext['failure']>;
  /** Grants of live instances. */
  readonly holders: number;
}

/** What the secrets actor knows of its secrets, one for each provider, id and stage. */
export function secretStatuses(actor: SecretsActorRef, now: number): SecretStatus[] {
  return Object.values(actor.getSnapshot().context.entries).map((entry) => statusOf(entry, now));
}

function statusOf(entry: SecretEntryRef, now: number): SecretStatus {
  const { value, context } = entry.getSnapshot();
  const { provider, id, stage, versionId, epoch, fetchedAt, failure, holders } = context;
  return {
    provider,
    id,
    stage,
    ...(versionId !== undefined && { versionId }),
    epoch,
    state: typeof value === 'string' ? value : value.calling,
    ...(fetchedAt !== undefined && { ageMs: Math.max(0, now - fetchedAt) }),
    ...(failure !== undefined && { failure }),
    holders,
  };
}
