import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { isCareful } from '../careful-start.ts';
import { lockHolder } from './early-lock.ts';
import { metaTable } from './meta-table.ts';
import type { StoreLook } from './store-care.ts';
import { openToRead } from './store-file.ts';
import { remoteSystem } from './store-place.ts';

/**
 * Looks at what a start finds of a store, and changes nothing.
 *
 * @throws {HoldfastError} `STORE_CORRUPT` or `STORE_TOO_NEW`
 */
export function lookAt(path: string, temporary: string): StoreLook {
  const exists = existsSync(path);
  let folder = dirname(path);
  while (!existsSync(folder)) folder = dirname(folder);
  const { type, bavail, bsize } = statfsSync(folder);
  const fileSystem = remoteSystem(type);
  const holder = exists ? lockHolder(path, temporary) : undefined;
  const look = {
    exists,
    writable: isWritable(folder) && (!exists || isWritable(path)),
    bytes: exists ? statSync(path).size : 0,
    freeBytes: bavail * bsize,
    ...(fileSystem !== undefined && { fileSystem }),
    ...(holder !== undefined && { holder }),
  };
  return exists ? { ...look, careful: isNextCareful(path, holder !== undefined) } : look;
}

/** Whether the next start is a careful one. */
function isNextCareful(path: string, isHeld: boolean): boolean {
  const db = openToRead(path);
  try {
    const meta = metaTable(db);
    const openedAt = meta.get('openedAt');
    const ends = meta.get('uncleanEnds');
    return isCareful(isHeld || openedAt === null ? ends : [...ends, openedAt], Date.now());
  } finally {
    db.close();
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
