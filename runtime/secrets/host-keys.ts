import type { SecretAnswer } from '../../actors/secret-entry.ts';
import type { ResolvedGrant } from '../config/resolve.ts';
import { grantedValue, type LiveGrant } from './grants.ts';
import type { Scrubber } from './scrub/scrubber.ts';
import type { SecretsCache } from './values/cache.ts';

/** A secret of a provider. */
export type SecretRef = Pick<ResolvedGrant, 'provider' | 'id' | 'jsonKey' | 'stage' | 'role'>;

/** The secrets that are keys of the host itself; no agent can use one by this. */
export interface HostKeyRefs {
  readonly key: SecretRef;
  /** Secrets that were the key before. */
  readonly previous: readonly SecretRef[];
}

/** Their values, for the caller to overwrite. */
export interface HostKeys {
  readonly key: Uint8Array;
  /** The version before the current one, where it can be had, and the others that were the key before. */
  readonly previous: readonly Uint8Array[];
}

/** Where they stand in a config, which errors name. */
const KEY = 'store.encryption.key';
const PREVIOUS = 'store.encryption.previous';

/** The name under which their values are known to the scrubber for as long as they are keys. */
const SCRUBBED = 'store.encryption';

/** The keys as what is granted to nobody, so that they are fetched, and tried at the start, like all else. */
export function keyGrants({ key, previous }: HostKeyRefs): LiveGrant['grant'][] {
  return [hostGrant(key, KEY), ...previous.map((ref, at) => hostGrant(ref, `${PREVIOUS}[${at}]`))];
}

/** A secret of the host itself as what is granted to nobody. `label`: where it stands in a config. */
export function hostGrant(ref: SecretRef, label: string): LiveGrant['grant'] {
  return { ...ref, label, required: true, mode: 'capability', capabilities: [] };
}

/**
 * Fetches the keys; from then on they are kept up to date, and searched for in whatever leaves.
 *
 * @throws {HoldfastError} `SECRET_NOT_FOUND`, `SECRET_DENIED` or `SECRET_UNAVAILABLE`, or `CONFIG_INVALID` for an
 *   undeclared provider
 */
export async function fetchHostKeys(
  refs: HostKeyRefs,
  cache: SecretsCache,
  scrubber: Pick<Scrubber, 'learn' | 'hold'> | undefined,
): Promise<HostKeys> {
  const lives = keyGrants(refs).map((grant): LiveGrant => ({ grant, spec: cache.entry(grant) }));
  cache.hold(
    SCRUBBED,
    lives.map(({ spec }) => spec),
  );
  const known: string[] = [];
  const valueOf = (live: LiveGrant, answer: SecretAnswer): Uint8Array => {
    const { versionId, bytes } = grantedValue(live, answer, cache);
    const id = `${live.spec.key} ${versionId}`;
    known.push(id);
    scrubber?.learn(SCRUBBED, id, bytes);
    return bytes;
  };
  const values: Uint8Array[] = [];
  const versions: string[] = [];
  for (const live of lives) {
    values.push(
      // One after the other: a batch has fetched them at the start.
      // oxlint-disable-next-line no-await-in-loop
      await cache.need(live.spec, (answer) => {
        if (answer.ok) versions.push(answer.versionId);
        return valueOf(live, answer);
      }),
    );
  }
  const [key, ...previous] = values as [Uint8Array, ...Uint8Array[]];
  const before = await valueBefore(lives[0] as LiveGrant, versions[0], cache, valueOf);
  scrubber?.hold(SCRUBBED, known);
  return { key, previous: before === undefined ? previous : [before, ...previous] };
}

/** The value of the version before `current`; a provider without versions gives the current one again. */
async function valueBefore(
  live: LiveGrant,
  current: string | undefined,
  cache: SecretsCache,
  valueOf: (live: LiveGrant, answer: SecretAnswer) => Uint8Array,
): Promise<Uint8Array | undefined> {
  if (live.grant.stage !== undefined) return undefined;
  const versionId = await cache.previous(live.spec);
  if (versionId === undefined || versionId === current) return undefined;
  try {
    return valueOf(live, { ok: true, versionId, epoch: 0 });
  } catch {
    // It has no such field, or is a placeholder: it was no key.
    return undefined;
  }
}
