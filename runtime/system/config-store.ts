import type { StoreConfig } from '../config/store-schema.ts';
import type { DurableStore } from '../store/durable-store.ts';
import { sqliteStore } from '../store/sqlite/sqlite-store.ts';

/** Creates the store that a config names. */
export function configStore({ path, fsync, maxBytes, encryption }: StoreConfig): DurableStore {
  return sqliteStore({ path, fsync, maxBytes, encryption });
}
