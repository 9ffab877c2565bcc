import type { SecretProvider } from '../../providers/provider.ts';
import type { LoadedConfig } from '../config/resolve.ts';
import { fetchHostKeys, type HostKeys } from '../secrets/host-keys.ts';
import { createSecretsCache } from '../secrets/values/cache.ts';
import { hostKeyRefs } from './store-keyring.ts';

/**
 * Fetches the keys of the store that a config names, for whoever reads it without a runtime; undefined for a store that has
 * none. `customProviders`: the providers of the host's own, beside the built-in ones.
 *
 * @throws {HoldfastError} `SECRET_NOT_FOUND`, `SECRET_DENIED`, `SECRET_UNAVAILABLE` or `CONFIG_INVALID`
 */
export async function readStoreKeys(
  { store, providers }: LoadedConfig,
  customProviders: readonly SecretProvider[] = [],
): Promise<HostKeys | undefined> {
  if (store?.type !== 'sqlite' || store.encryption === undefined) return undefined;
  const cache = createSecretsCache({ providers, customProviders });
  try {
    return await fetchHostKeys(hostKeyRefs(store.encryption), cache, undefined);
  } finally {
    await cache.stop();
  }
}
