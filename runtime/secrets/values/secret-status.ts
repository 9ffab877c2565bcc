import { usableUntil, type SecretEntryContext } from '../../../actors/secret-entry.ts';
import type { ProviderBreakerRef, SecretEntryRef } from '../../../actors/secrets.ts';
import type { ProviderPool } from './provider-pool.ts';
import type { SecretsActorRef } from './secrets-logic.ts';

/** One secret as `status` shows it: JSON-safe, no value, hash or length. */
export interface SecretStatus {
  /** The provider's alias. */
  readonly provider: string;
  readonly id: string;
  readonly stage: string;
  /** The identity it is read with, where it is not the host's own. */
  readonly role?: string;
  readonly versionId?: string;
  /** 0: never fetched. */
  readonly epoch: number;
  readonly state: 'cold' | 'fetching' | 'refreshing' | 'fresh' | 'stale' | 'failed';
  /** Milliseconds since the version was fetched or found current. */
  readonly ageMs?: number;
  /** Only with `stale`: milliseconds for which the version is still used when the provider does not come back. */
  readonly staleForMs?: number;
  /** Milliseconds until it is looked at next, if nobody asks before. */
  readonly nextRefreshInMs?: number;
  /** Why the last fetch failed. */
  readonly failure?: NonNullable<SecretEntryContext['failure']>;
  /** Grants of live instances. */
  readonly holders: number;
  /** Uses that were answered from the cache, and those that waited for a fetch or a failure. */
  readonly hits: number;
  readonly misses: number;
}

/** One provider that is in use. */
export interface SecretProviderStatus {
  readonly alias: string;
  /** A built-in or custom provider. */
  readonly provider: string;
  /** `open`: it failed too often and is not called for 30 s; `half-open`: one call tries it. */
  readonly breaker: 'closed' | 'open' | 'half-open';
  /** Why calls failed; only when the breaker is not closed. */
  readonly failure?: 'transient' | 'throttled';
}

/** How often the values of an entry were used. */
export interface CacheUse {
  hits: number;
  misses: number;
}

export interface StatusSources {
  readonly actor: SecretsActorRef;
  readonly now: number;
  readonly useOf: (key: string) => CacheUse | undefined;
  /** The time at which the entry's next timer is due. */
  readonly nextRefreshAt: (key: string) => number | undefined;
}

/** The state of the secrets, as the secrets actor knows it, one for each provider, id, stage and role. */
export function secretStatuses(sources: StatusSources): SecretStatus[] {
  return Object.values(sources.actor.getSnapshot().context.entries).map((entry) => statusOf(entry, sources));
}

function statusOf(entry: SecretEntryRef, { now, useOf, nextRefreshAt }: StatusSources): SecretStatus {
  const snapshot = entry.getSnapshot();
  const { context } = snapshot;
  const { key, provider, id, stage, role, versionId, epoch, fetchedAt, failure, holders } = context;
  const state = stateOf(snapshot.value);
  const isPlanned = state !== 'fetching' && state !== 'refreshing' && (holders > 0 || context.used);
  const next = isPlanned ? nextRefreshAt(key) : undefined;
  const { hits, misses } = useOf(key) ?? { hits: 0, misses: 0 };
  return {
    provider,
    id,
    stage,
    ...(role !== undefined && { role }),
    ...(versionId !== undefined && { versionId }),
    epoch,
    state,
    ...(fetchedAt !== undefined && { ageMs: Math.max(0, now - fetchedAt) }),
    ...(state === 'stale' && { staleForMs: Math.max(0, usableUntil(context) - now) }),
    ...(next !== undefined && { nextRefreshInMs: Math.max(0, Math.round(next - now)) }),
    ...(failure !== undefined && { failure }),
    holders,
    hits,
    misses,
  };
}

function stateOf(value: ReturnType<SecretEntryRef['getSnapshot']>['value']): SecretStatus['state'] {
  if (typeof value !== 'string') return value.calling;
  // Both states are left as soon as they are entered.
  return value === 'born' || value === 'judging' ? 'cold' : value;
}

/** The providers in use, with their breakers. */
export function providerStatuses(actor: SecretsActorRef, providers: ProviderPool): SecretProviderStatus[] {
  return Object.entries(actor.getSnapshot().context.breakers).map(([alias, breaker]) =>
    providerStatus(alias, breaker, providers.declared(alias)?.provider ?? alias),
  );
}

function providerStatus(alias: string, breaker: ProviderBreakerRef, provider: string): SecretProviderStatus {
  const { value, context } = breaker.getSnapshot();
  const state = typeof value === 'string' ? value : 'half-open';
  return { alias, provider, breaker: state, ...(state !== 'closed' && { failure: context.failure }) };
}
