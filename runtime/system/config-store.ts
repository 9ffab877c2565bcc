import type { StoreConfig } from '../config/store-schema.ts';
import type { DurableStore } from '../store/durable-store.ts';
import { sqliteStore } from '../store/sqlite/sqlite-store.ts';

/** Creates the store that a config names. */
export function configStore(config: StoreConfig): DurableStore {
  const { path, fsync, maxBytes, encryption, keepIdsMs, wakesPerSecond, onFailure } = config;
  return sqliteStore({ path, fsync, maxBytes, encryption, keepIdsMs, wakesPerSecond, onFailure });
}
