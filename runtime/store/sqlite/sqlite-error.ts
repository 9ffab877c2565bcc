import { HoldfastError } from '../../base/errors.ts';
import { corrupt } from '../columns/corrupt.ts';

/** An error of `node:sqlite`. */
interface SqliteError extends Error {
  readonly code: 'ERR_SQLITE_ERROR';
  /** SQLite's extended result code. */
  readonly errcode: number;
}

/** SQLite's primary result codes that are told apart. */
export const SQLITE = {
  busy: 5,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
} as const;

/** SQLite's primary result code; undefined for another error. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || (error as Partial<SqliteError>).code !== 'ERR_SQLITE_ERROR')
    return undefined;
  return (error as SqliteError).errcode & 0xff;
}

/** The error that a caller gets for one of SQLite. */
export function storeError(error: unknown, path: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const code = sqliteCode(error);
  const { message: text } = error as Error;
  const failed = (message: string): HoldfastError =>
    new HoldfastError('STORE_FAILED', `${message} (${text})`, { cause: error });
  switch (code) {
    case SQLITE.full:
      return failed(
        `the store ${path} has no room: nothing of this was written. Make room on its disk, or raise maxBytes; it goes on ` +
          'by itself as soon as there is room',
      );
    case SQLITE.corrupt:
    case SQLITE.notADatabase:
      return corrupt(`the store ${path} is damaged (${text})`, error);
    case SQLITE.readOnly:
      return failed(`the store ${path} cannot be written: its file, its folder or its disk is read-only`);
    case SQLITE.cannotOpen:
      return failed(`the store ${path} cannot be opened: look at the rights to its folder and its files`);
    case SQLITE.busy:
      return failed(
        `the store ${path} is locked by another program; end whatever has the file open to write to it`,
      );
    case undefined:
      return failed(`the store ${path} failed`);
    default:
      return failed(
        `the store ${path} failed; nobody knows whether this took effect, and the same call may come again`,
      );
  }
}

/** Whether what failed is what is stored, and not a disk. */
export function isDamage(error: unknown): boolean {
  if (error instanceof HoldfastError) return error.code === 'STORE_CORRUPT';
  return sqliteCode(error) === SQLITE.corrupt;
}
