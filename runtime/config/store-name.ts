import { isMeantAsUrl, readPostgresUrl, sayPostgres, sayPostgresOf } from '../base/postgres-url.ts';
import { secretRef } from './secret-ref.ts';
import type { StoreConfig } from './store-schema.ts';

/** How a store is named to people: a file by its path, a database without user and password. */
export function storeName(store: StoreConfig): string {
  if (store.type === 'sqlite') return store.path;
  const { url, schema = 'holdfast' } = store;
  if (typeof url !== 'string' || !isMeantAsUrl(url)) return sayPostgresOf(secretRef(url), schema);
  const { place } = readPostgresUrl(url);
  return place === undefined ? schema : sayPostgres(place, schema);
}
