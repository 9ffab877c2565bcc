import { isMeantAsUrl } from '../base/postgres-url.ts';
import { secretRef } from '../config/secret-ref.ts';
import type { PostgresStoreConfig, StoreConfig } from '../config/store-schema.ts';
import type { DurableStore } from '../store/durable-store.ts';
import { postgresStore, type PostgresStoreOptions } from '../store/postgres/postgres-store.ts';
import { sqliteStore } from '../store/sqlite/sqlite-store.ts';
import { pemsOf } from './pem-files.ts';

/** Creates the store that a config names. */
export function configStore(config: StoreConfig): DurableStore {
  if (config.type === 'postgres') return postgresStore(postgresOptions(config));
  const { path, fsync, maxBytes, encryption, keepIdsMs, wakesPerSecond, onFailure } = config;
  return sqliteStore({ path, fsync, maxBytes, encryption, keepIdsMs, wakesPerSecond, onFailure });
}

export function postgresOptions(config: PostgresStoreConfig): PostgresStoreOptions {
  const { url, schema, tls, keepIdsMs, wakesPerSecond, onFailure } = config;
  return {
    url: typeof url === 'string' && isMeantAsUrl(url) ? url : secretRef(url),
    schema,
    // Files may be renewed while a runtime goes on: each connection reads them.
    ...(tls && { tls: () => pemsOf(tls, 'store.tls', 'STORE_FAILED') }),
    keepIdsMs,
    wakesPerSecond,
    onFailure,
  };
}
