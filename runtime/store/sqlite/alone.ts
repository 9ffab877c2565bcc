import { existsSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '../../base/errors.ts';
import { lockEarly } from './early-lock.ts';
import { lastingLogDamage, sayLogDamage } from './log-check.ts';
import { corrupt } from '../columns/corrupt.ts';
import { openToRead } from './store-file.ts';

/** Runs what nobody may have the store open for. */
export function alone<T>(path: string, temporary: string, run: () => T): T {
  const unlock = lockEarly(path, temporary, false);
  try {
    if (unlock !== undefined) removeDrafts(path);
    return run();
  } finally {
    unlock?.();
  }
}

/**
 * As {@link alone}, for what changes a store that is there. Its log has to be whole: SQLite would take a damaged place for
 * its end, and all commits after that would be gone with the first change.
 */
export function aloneWithStore<T>(path: string, temporary: string, run: () => T): T {
  return alone(path, temporary, () => {
    openToRead(path).close();
    assertLogWhole(path);
    return run();
  });
}

/** @throws {HoldfastError} `STORE_CORRUPT` when commits would be left out of what is read */
export function assertLogWhole(path: string): void {
  const damage = lastingLogDamage(path);
  if (damage?.isCertain === true) throw corrupt(sayLogDamage(path, damage));
}

/** Removes what processes have left over that were killed while they wrote the store anew. */
function removeDrafts(path: string): void {
  const [folder, name] = [dirname(path), `${basename(path)}.new-`];
  if (!existsSync(folder)) return;
  for (const file of readdirSync(folder))
    if (file.startsWith(name) && /^\d+(-journal)?$/.test(file.slice(name.length))) rmSync(join(folder, file));
}

/** Brings all of the log into the file, so that nothing of the store is beside it. */
export function settleLog(db: DatabaseSync, path: string): void {
  if (db.prepare('pragma wal_checkpoint(truncate)').get()?.['busy'] === 0) return;
  throw new HoldfastError(
    'STORE_FAILED',
    `the store ${path} is being read, perhaps by a backup: nothing was changed; try again when that is over`,
  );
}

/** Closes a store whose log is settled, of which another file takes the place. */
export function takePlace(db: DatabaseSync, path: string): void {
  db.close();
  for (const end of ['-wal', '-shm']) rmSync(path + end, { force: true });
}
