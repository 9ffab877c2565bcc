import type { SecretFetchInput, SecretFetchOutcome } from '../../actors/secret-entry.ts';
import type { FetchResult, ProviderFailure, SecretProvider, SecretRef } from '../../providers/provider.ts';
import { placeholderReason } from './placeholders.ts';
import type { ProviderPool } from './provider-pool.ts';
import type { Vault } from './vault.ts';

/** The largest value AWS stores; a bigger one is refused rather than kept in memory. */
const largestValue = 65_536;

export interface FetchDependencies {
  readonly providers: ProviderPool;
  readonly vault: Vault;
  readonly now: () => number;
  /** Hears why a value was not taken: it only stands for one. */
  readonly placeholder?: (ref: SecretRef, why: string) => void;
}

/**
 * The effect behind an entry's fetch: brings the value into the vault and reports the version. Never rejects
 * and never reports a provider's own error, only its class, because events and snapshots are seen by others.
 *
 * While the vault still holds the known version and the provider can tell versions apart, the version is looked
 * at first and the value read only when it changed (fewer values on the wire); where looking is denied, the
 * value is read at once.
 */
export async function fetchIntoVault(
  { providers, vault, now, placeholder }: FetchDependencies,
  input: SecretFetchInput,
  signal: AbortSignal,
): Promise<SecretFetchOutcome> {
  const { key, provider: alias, id, stage, knownVersionId } = input;
  const ref: SecretRef = { provider: alias, id, stage };
  const startedAt = now();
  let asked: SecretProvider | undefined;
  try {
    asked = providers.get(alias);
    let versionId: string | undefined;
    if (knownVersionId !== undefined && asked.capabilities.versions && vault.touch(key, knownVersionId)) {
      providers.count('describe');
      versionId = await currentVersion(asked, ref, signal);
      if (versionId === knownVersionId) return { ok: true, versionId, fetchedAt: startedAt };
    }
    providers.count('fetch');
    const result = await asked.fetch(ref, versionId === undefined ? { stage } : { versionId }, signal);
    // Too late: the entry has given up, and what it decided meanwhile must not be overwritten.
    if (signal.aborted || !isUsable(result)) {
      result.bytes.fill(0);
      return { ok: false, failure: signal.aborted ? 'transient' : 'invalid' };
    }
    const why = placeholderReason(result.bytes);
    if (why !== undefined) {
      result.bytes.fill(0);
      placeholder?.(ref, why);
      return { ok: false, failure: 'invalid' };
    }
    vault.put(key, result.versionId, result.bytes);
    return { ok: true, versionId: result.versionId, fetchedAt: startedAt };
  } catch (error) {
    return { ok: false, failure: classify(asked, error) };
  }
}

/** The version to compare with; undefined where the provider cannot or may not say. */
async function currentVersion(
  provider: SecretProvider,
  ref: SecretRef,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    return (await provider.describe(ref, signal)).current;
  } catch (error) {
    if (classify(provider, error) === 'denied') return undefined;
    throw error;
  }
}

function isUsable(result: FetchResult): boolean {
  return (
    typeof result.versionId === 'string' && result.versionId !== '' && result.bytes.byteLength <= largestValue
  );
}

function classify(provider: SecretProvider | undefined, error: unknown): ProviderFailure {
  try {
    return provider?.classify(error) ?? 'invalid';
  } catch {
    return 'transient';
  }
}
