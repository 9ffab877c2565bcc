import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '../../base/errors.ts';
import { metaTable } from './meta-table.ts';
import { APPLICATION_ID, PAGE_BYTES, SCHEMA, SCHEMA_VERSION } from './schema.ts';
import { corrupt } from '../columns/corrupt.ts';

/** Milliseconds to wait for a lock of the file: another connection holds one for as long as a checkpoint takes. */
const BUSY_MS = 5000;
/** Pages of the log before they go into the file: 32 MB. */
const CHECKPOINT_PAGES = 4000;
/** Of the memory that SQLite keeps pages in: the inner pages of a million records, and some of the outer. */
const CACHE_KIB = 32 * 1024;

export interface FileOptions {
  readonly path: string;
  readonly fsync: 'disk' | 'os';
  readonly maxBytes?: number | undefined;
}

/** Opens the file for its owner; creates it where there is none. */
export function openFile({ path, fsync, maxBytes }: FileOptions): DatabaseSync {
  if (!existsSync(path)) create(path);
  else if (statSync(path).size === 0)
    throw corrupt(`the store ${path} is an empty file; if there never was a store, remove the file`);
  const db = new DatabaseSync(path, { timeout: BUSY_MS });
  try {
    checkKind(db, path);
    db.exec(
      `pragma journal_mode = wal; pragma synchronous = ${fsync === 'disk' ? 'full' : 'normal'};
       pragma fullfsync = on; pragma checkpoint_fullfsync = on; pragma wal_autocheckpoint = ${CHECKPOINT_PAGES};
       pragma journal_size_limit = ${2 * CHECKPOINT_PAGES * PAGE_BYTES}; pragma cache_size = -${CACHE_KIB};
       pragma temp_store = memory; pragma cell_size_check = on; pragma trusted_schema = off;`,
    );
    if (maxBytes !== undefined)
      db.exec(`pragma max_page_count = ${Math.max(1, Math.floor(maxBytes / PAGE_BYTES))}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Opens the file beside its owner, who may be writing. */
export function openToRead(path: string): DatabaseSync {
  if (!existsSync(path)) throw new HoldfastError('STORE_FAILED', `there is no store ${path}`);
  const db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS });
  try {
    checkKind(db, path);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Whether the file is a store, and one that this version reads. */
function checkKind(db: DatabaseSync, path: string): void {
  const { application_id: kind } = db.prepare('pragma application_id').get() as { application_id: number };
  const { user_version: version } = db.prepare('pragma user_version').get() as { user_version: number };
  if (kind !== APPLICATION_ID) throw corrupt(`the file ${path} is a database, but not a store of Holdfast`);
  if (version > SCHEMA_VERSION)
    throw new HoldfastError(
      'STORE_TOO_NEW',
      `the store ${path} has the form ${version}, and this Holdfast reads ${SCHEMA_VERSION}: start the later version that ` +
        'wrote it, or restore a backup from before it',
    );
}

/** A store appears whole, under its name, or not at all; readable for its owner alone. */
function create(path: string): void {
  if (existsSync(`${path}-wal`) && statSync(`${path}-wal`).size > 0)
    throw corrupt(`the store ${path} is gone, and its log ${path}-wal is there`);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.new-${process.pid}`;
  rmSync(draft, { force: true });
  closeSync(openSync(draft, 'wx', 0o600));
  try {
    writeFile(draft, (db) => {
      const meta = metaTable(db);
      meta.set('storeId', crypto.randomUUID());
      meta.set('epoch', 0);
      meta.set('writer', [0, 0]);
      meta.set('openedAt', null);
      meta.set('uncleanEnds', []);
      meta.set('restored', false);
      meta.set('nextRow', 1);
      meta.set('last', null);
      meta.set('sealed', false);
      meta.set('kept', null);
    });
    chmodSync(draft, 0o600);
    // Unlike a rename it takes nobody's place.
    linkSync(draft, path);
    syncFolder(path);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Makes a store of an empty file, with what `fill` writes to it. */
export function writeFile(draft: string, fill: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(draft);
  try {
    db.exec(`pragma page_size = ${PAGE_BYTES}; begin; ${SCHEMA}`);
    fill(db);
    db.exec(`pragma application_id = ${APPLICATION_ID}; pragma user_version = ${SCHEMA_VERSION}; commit`);
  } finally {
    db.close();
  }
}

/** Brings to the disk that a file has its name. */
export function syncFolder(path: string): void {
  if (process.platform === 'win32') return;
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
