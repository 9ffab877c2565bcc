import type { SecretEntrySpec, SecretFetchInput, SecretFetchOutcome } from '../../../actors/secret-entry.ts';
import type { FetchResult, SecretRef, SecretSelector } from '../../../providers/provider.ts';
import { refOf, type BatchedReads } from './batched-reads.ts';
import { placeholderReason } from './placeholders.ts';
import { described, fetched } from './provider-answers.ts';
import { callProvider, type Called, type ProviderCalling } from './provider-call.ts';
import type { Vault } from './vault.ts';

/** The largest value that AWS stores; a larger one is refused rather than kept in memory. */
const largestValue = 65_536;

export interface FetchDependencies extends ProviderCalling {
  readonly vault: Vault;
  readonly now: () => number;
  /** Called with the reason when a value was not taken because it is a placeholder. */
  readonly placeholder?: (ref: SecretRef, why: string) => void;
  /** Reads of current values, which share calls where that can be. */
  readonly reads: BatchedReads;
}

/**
 * The effect behind an entry's fetch: brings the value into the vault and reports the version. Never rejects, and
 * reports only the class of a provider's own error, because events and snapshots are seen by others.
 *
 * A version that a hint names is read by its id, which finds it even where a read by stage lags behind; it is taken
 * only while it carries the stage, so that an old hint moves nothing back. Otherwise, while the vault still holds the
 * known version and the provider can tell versions apart, the version is described first and the value read only when
 * it changed (fewer values on the wire). Where describing is denied, the value is read at once, which decides.
 */
export async function fetchIntoVault(
  dependencies: FetchDependencies,
  input: SecretFetchInput,
  signal: AbortSignal,
): Promise<SecretFetchOutcome> {
  const { vault, now, providers, placeholder, reads } = dependencies;
  const { key, provider: alias, stage, knownVersionId, hintedVersionId } = input;
  const ref = refOf(input);
  const fetchedAt = now();
  const read = (selector: SecretSelector): Promise<Called<FetchResult>> =>
    callProvider(dependencies, alias, 'fetch', signal, async (provider) =>
      fetched(await provider.fetch(ref, selector, signal)),
    );
  const keep = (result: Called<FetchResult>): SecretFetchOutcome => {
    if (!result.ok) return result;
    const { versionId, bytes, leaseMs } = result.value;
    // Too late: the entry has given up, and a later decision of it must not be overwritten.
    if (signal.aborted || !isUsable(result.value)) {
      bytes.fill(0);
      return { ok: false, failure: signal.aborted ? 'transient' : 'invalid' };
    }
    const why = placeholderReason(bytes);
    if (why !== undefined) {
      bytes.fill(0);
      placeholder?.(ref, why);
      return { ok: false, failure: 'invalid' };
    }
    vault.put(key, versionId, bytes);
    return { ok: true, versionId, fetchedAt, ...(leaseMs !== undefined && { leaseMs }) };
  };

  if (hintedVersionId !== undefined) {
    const hinted = await read({ versionId: hintedVersionId });
    if (hinted.ok && hinted.value.stages.includes(stage)) return keep(hinted);
    if (hinted.ok) hinted.value.bytes.fill(0);
    else if (hinted.failure !== 'not-found' && hinted.failure !== 'invalid') return hinted;
    // The version is not current, not there, or unknown, so the current version decides.
  }

  let current: string | undefined;
  if (knownVersionId !== undefined && vault.has(key, knownVersionId) && tellsVersions()) {
    const look = await callProvider(dependencies, alias, 'describe', signal, async (provider) =>
      described(await provider.describe(ref, signal)),
    );
    if (!look.ok && look.failure !== 'denied') return look;
    if (look.ok) ({ current } = look.value);
    if (current === knownVersionId) return { ok: true, versionId: current, fetchedAt };
  }
  if (current === undefined) return keep(await reads.read(input, signal));
  const found = await read({ versionId: current });
  // The version was replaced between the two calls.
  if (!found.ok && found.failure === 'not-found') return keep(await reads.read(input, signal));
  return keep(found);

  function tellsVersions(): boolean {
    try {
      return providers.get(alias).capabilities.versions;
    } catch {
      return false;
    }
  }
}

/**
 * Brings the version before the current one into the vault and returns its id; undefined when there is none or it
 * cannot be had.
 */
export async function fetchPrevious(
  dependencies: FetchDependencies,
  entry: SecretEntrySpec,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { vault } = dependencies;
  const stage = 'AWSPREVIOUS';
  const found = await callProvider(dependencies, entry.provider, 'fetch', signal, async (provider) =>
    fetched(await provider.fetch({ ...refOf(entry), stage }, { stage }, signal)),
  );
  if (!found.ok) return undefined;
  if (signal.aborted || !isUsable(found.value)) {
    found.value.bytes.fill(0);
    return undefined;
  }
  vault.put(entry.key, found.value.versionId, found.value.bytes);
  return found.value.versionId;
}

function isUsable(result: FetchResult): boolean {
  return (
    typeof result.versionId === 'string' && result.versionId !== '' && result.bytes.byteLength <= largestValue
  );
}
