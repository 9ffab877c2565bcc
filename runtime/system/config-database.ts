import type { SecretProvider } from '../../providers/provider.ts';
import type { LoadedConfig } from '../config/resolve.ts';
import { secretRef } from '../config/secret-ref.ts';
import type { PostgresStoreConfig } from '../config/store-schema.ts';
import { fetchHostUrl } from '../secrets/host-url.ts';
import { createSecretsCache } from '../secrets/values/cache.ts';
import type { StoredRecord } from '../store/durable-store.ts';
import { lookAtPostgres, type PostgresLook, postgresRecords } from '../store/postgres/postgres-look.ts';
import { postgresOptions } from './config-store.ts';

export type { PostgresLook };

/** The database that a config names, for whoever looks at it without a runtime. Its owner goes on undisturbed. */
export interface ConfigDatabase {
  look(): Promise<PostgresLook>;
  /** All records, in the order of their addresses. `comes`: called before each, with how many are behind it. */
  records(comes?: (left: number) => void): AsyncGenerator<StoredRecord>;
  /** Ends what fetches its url. */
  close(): Promise<void>;
}

/** `customProviders`: the providers of the host's own, beside the built-in ones. */
export function configDatabase(
  store: PostgresStoreConfig,
  { providers }: Pick<LoadedConfig, 'providers'>,
  customProviders: readonly SecretProvider[] = [],
): ConfigDatabase {
  const options = postgresOptions(store);
  const { url } = options;
  const cache = typeof url === 'string' ? undefined : createSecretsCache({ providers, customProviders });
  const read =
    typeof url === 'string' || cache === undefined
      ? undefined
      : (isRefused: boolean) => fetchHostUrl(secretRef(url), isRefused, cache, undefined);
  return {
    look: () => lookAtPostgres(options, read),
    records: (comes) => postgresRecords(options, read, comes),
    close: async () => cache?.stop(),
  };
}
