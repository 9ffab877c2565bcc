import { existsSync, renameSync, copyFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '../../base/errors.ts';
import { alone, aloneWithStore, assertLogWhole, settleLog, takePlace } from './alone.ts';
import { TABLES, textIds } from '../columns/forms.ts';
import { metaTable } from './meta-table.ts';
import { SQLITE, sqliteCode, storeError } from './sqlite-error.ts';
import { checkStore } from './store-check.ts';
import { written } from './new-file.ts';
import { openToRead } from './store-file.ts';

/**
 * Writes what a store has at this moment to a new file, while its owner goes on: by a connection that only reads, since one
 * that also writes fails at random at that.
 */
export function backUp(path: string, to: string): void {
  if (existsSync(to))
    throw new HoldfastError(
      'STORE_FAILED',
      `there is a file ${to} already; give a name that is free, or remove it`,
    );
  const db = openToRead(path);
  try {
    assertLogWhole(path);
    written(to, (draft) => db.prepare('vacuum into ?').run(draft));
  } finally {
    db.close();
  }
}

/**
 * Puts a backup in the place of a store that nobody has open. What was there stays, under the name that is returned. The
 * store has a new name of its own, and wakes nobody until it is resumed.
 */
export function restore(
  from: string,
  path: string,
  now: number,
  temporary: string,
): { readonly before?: string } {
  const [problem] = problemsOf(from);
  if (problem !== undefined)
    throw new HoldfastError(
      'STORE_CORRUPT',
      `the backup ${from} is damaged (${problem}): nothing was changed, restore another one`,
    );
  return alone(path, temporary, () => {
    const before = existsSync(path) ? `${path}.before-${now}` : undefined;
    written(
      path,
      (draft) => {
        copyFileSync(from, draft);
        const db = new DatabaseSync(draft);
        try {
          db.exec('pragma journal_mode = delete; begin immediate');
          const meta = metaTable(db);
          meta.set('storeId', crypto.randomUUID());
          meta.set('restored', true);
          meta.set('openedAt', null);
          meta.set('uncleanEnds', []);
          db.exec('commit');
        } finally {
          db.close();
        }
      },
      // The log belongs to what goes.
      () => before !== undefined && moveAway(path, before),
    );
    return before === undefined ? {} : { before };
  });
}

/** What is wrong with a backup; it may be something else altogether. */
function problemsOf(path: string): readonly string[] {
  try {
    return checkStore(path).problems;
  } catch (error) {
    const code = sqliteCode(error);
    if (code !== SQLITE.corrupt && code !== SQLITE.notADatabase) throw storeError(error, path);
    return [(error as Error).message];
  }
}

/** Says that a store that was restored may wake again; nobody may have it open. */
export function resume(path: string, temporary: string): void {
  aloneWithStore(path, temporary, () => {
    const db = new DatabaseSync(path);
    try {
      db.exec('begin immediate');
      metaTable(db).set('restored', false);
      db.exec('commit');
    } finally {
      db.close();
    }
  });
}

/** Deletes everything of an address, and overwrites what stood there; returns the number of rows, without long texts. */
export function forget(path: string, address: string, temporary: string): number {
  return aloneWithStore(path, temporary, () => {
    const db = new DatabaseSync(path);
    try {
      db.exec('pragma secure_delete = on; begin immediate');
      const record = db.prepare('select id from records where address = ?').get(address)?.['id'];
      if (record !== undefined)
        db.prepare('delete from texts where id > ? and id < ?').run(...textIds(record as number));
      let rows = 0;
      for (const { table } of TABLES)
        if (table !== 'texts')
          rows += Number(db.prepare(`delete from ${table} where address = ?`).run(address).changes);
      metaTable(db).set('kept', null);
      db.exec('commit; pragma wal_checkpoint(truncate)');
      return rows;
    } finally {
      db.close();
    }
  });
}

/** The share of a file that is free from which on it is worth to write it anew. */
const WORTH = 1 / 3;

/** Writes a store that nobody has open anew, without what is free in it, if that is a third or more. */
export function compact(
  path: string,
  temporary: string,
): { readonly before: number; readonly after: number } {
  return aloneWithStore(path, temporary, () => {
    // With the log in the file there is nothing beside it that could be left over.
    const db = new DatabaseSync(path, { timeout: 5000 });
    try {
      settleLog(db, path);
      const number = (pragma: string): number =>
        Object.values(db.prepare(`pragma ${pragma}`).get() ?? {})[0] as number;
      const [pages, free, size] = [number('page_count'), number('freelist_count'), number('page_size')];
      const before = pages * size;
      if (free < pages * WORTH) return { before, after: before };
      written(
        path,
        (draft) => db.prepare('vacuum into ?').run(draft),
        () => takePlace(db, path),
      );
      return { before, after: (pages - free) * size };
    } finally {
      if (db.isOpen) db.close();
    }
  });
}

function moveAway(path: string, to: string): void {
  for (const end of ['-wal', '-shm', '']) if (existsSync(path + end)) renameSync(path + end, to + end);
}
