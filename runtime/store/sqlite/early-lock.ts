import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '../../base/errors.ts';
import { SQLITE, sqliteCode } from './sqlite-error.ts';

/** Lets go of a lock. */
export type Unlock = () => void;

/**
 * Locks a store for this process, so that a second one hears of it when it opens the store and not when it is too late. It
 * protects nothing: a process loses such a lock by reading the file, and the owner is who stands in the store. So it lies
 * where nobody reads it, in a folder for temporary files.
 *
 * @param isAgain Whether a thread of this process that has the lock may still be ending
 * @throws {HoldfastError} `STORE_LOCKED`
 */
export function lockEarly(path: string, temporary: string, isAgain: boolean): Unlock | undefined {
  if (!isOwn(folderOf(temporary))) return undefined;
  const name = lockName(path, temporary);
  const lock = new DatabaseSync(`${name}.lock`, { timeout: 0 });
  try {
    lock.exec('begin exclusive');
  } catch (error) {
    lock.close();
    if (sqliteCode(error) !== SQLITE.busy) return undefined;
    const pid = pidIn(`${name}.pid`);
    if (isAgain && pid === process.pid) return undefined;
    const holder =
      pid === process.pid ? 'this process' : `another process${pid === undefined ? '' : ` (pid ${pid})`}`;
    throw new HoldfastError(
      'STORE_LOCKED',
      `the store ${path} is open already, by ${holder}: end that first, or give this process a store of its own`,
    );
  }
  writeFileSync(`${name}.pid`, `${process.pid}`, { mode: 0o600 });
  return () => {
    rmSync(`${name}.pid`, { force: true });
    lock.close();
  };
}

/** The process that has a store open, 0 when its number is not known; undefined when nobody has it open. */
export function lockHolder(path: string, temporary: string): number | undefined {
  const name = lockName(path, temporary);
  const pid = pidIn(`${name}.pid`);
  if (pid === undefined) return undefined;
  // It may be left over.
  const lock = new DatabaseSync(`${name}.lock`, { readOnly: true, timeout: 0 });
  try {
    lock.exec('select 1 from sqlite_schema');
    return undefined;
  } catch (error) {
    if (sqliteCode(error) !== SQLITE.busy) throw error;
    return Number.isInteger(pid) ? pid : 0;
  } finally {
    lock.close();
  }
}

function folderOf(temporary: string): string {
  return join(temporary, `holdfast-${process.getuid?.() ?? 'user'}`);
}

function lockName(path: string, temporary: string): string {
  const name = createHash('sha256')
    .update(realPath(resolve(path)))
    .digest('hex')
    .slice(0, 32);
  return join(folderOf(temporary), name);
}

/** Whether the folder is this user's alone: others may have put there what they like. */
function isOwn(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = lstatSync(folder);
    const isFolder = lstatSync(folder).isDirectory();
    return isFolder && (process.getuid === undefined || (uid === process.getuid() && (mode & 0o022) === 0));
  } catch {
    return false;
  }
}

/** The path by which every process knows the file, whatever links lead to it, and whether it is there yet or not. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return dirname(path) === path ? path : join(realPath(dirname(path)), basename(path));
  }
}

function pidIn(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
