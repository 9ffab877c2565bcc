import { readFile } from 'node:fs/promises';
import { isMeantAsUrl } from '../base/postgres-url.ts';
import { HoldfastError } from '../base/errors.ts';
import { secretRef } from '../config/secret-ref.ts';
import type { PostgresStoreConfig, StoreConfig } from '../config/store-schema.ts';
import type { DurableStore } from '../store/durable-store.ts';
import type { PostgresTls } from '../store/postgres/postgres-access.ts';
import { postgresStore, type PostgresStoreOptions } from '../store/postgres/postgres-store.ts';
import { sqliteStore } from '../store/sqlite/sqlite-store.ts';

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
    ...(tls && { tls: () => pemsOf(tls) }),
    keepIdsMs,
    wakesPerSecond,
    onFailure,
  };
}

/** Files may be renewed while a runtime goes on: each connection reads them. */
async function pemsOf(files: NonNullable<PostgresStoreConfig['tls']>): Promise<PostgresTls> {
  const read = (['ca', 'cert', 'key'] as const).map(async (name) => {
    const file = files[name];
    return file === undefined ? [] : [[name, await pemOf(name, file)] as const];
  });
  return Object.fromEntries((await Promise.all(read)).flat());
}

async function pemOf(name: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new HoldfastError('STORE_FAILED', `store.tls.${name}: ${file} cannot be read (${code})`, {
      cause: error,
    });
  }
}
