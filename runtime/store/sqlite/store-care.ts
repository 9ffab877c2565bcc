import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { HoldfastError } from '../../base/errors.ts';
import type { WrappingKeys } from './key-ring.ts';
import type { StoreKeys } from '../store-keys.ts';
import { wrappingKeys } from './store-encryption.ts';
import type { StoreReport } from './store-check.ts';
import { fromWire, type WireStoreError } from './wire-store-error.ts';

/** What is done for a store in a thread of its own: SQLite does its work without a break. */
export type CareTask = { readonly path: string; readonly temporary: string } & Work;

type Work =
  | { readonly what: 'check' | 'compact' | 'resume' }
  | { readonly what: 'look' }
  | { readonly what: 'waiting'; readonly now: number }
  | { readonly what: 'backup'; readonly to: string }
  | { readonly what: 'forget'; readonly address: string }
  | { readonly what: 'restore'; readonly from: string; readonly now: number }
  | { readonly what: 'rekey'; readonly now: number; readonly encryption: WrappingKeys | undefined }
  | {
      readonly what: 'export';
      readonly to: string;
      readonly now: number;
      readonly encryption: WrappingKeys | undefined;
    };

const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
const entry = new URL(`./care-thread${extension}`, import.meta.url);

/** Writes a copy of a store to a new file, while its owner goes on. A copy of an encrypted store is encrypted. */
export function backupStore(path: string, to: string): Promise<void> {
  return care(path, { what: 'backup', to: resolve(to) });
}

/**
 * Puts a backup in the place of a store that nobody has open; what was there stays, under the name `before`. It has a new
 * `storeId`, and wakes nobody until `resume`.
 */
export function restoreStore(path: string, from: string): Promise<{ readonly before?: string }> {
  return care(path, { what: 'restore', from: resolve(from), now: Date.now() });
}

/** Lets a restored store that nobody has open wake again. */
export function resumeStore(path: string): Promise<void> {
  return care(path, { what: 'resume' });
}

/** Looks at every page and every row, also while the owner goes on. */
export function checkStoreFile(path: string): Promise<StoreReport> {
  return care(path, { what: 'check' });
}

/** Writes a store that nobody has open anew, if a third of it is free; resolves with its bytes before and after. */
export function compactStore(path: string): Promise<{ readonly before: number; readonly after: number }> {
  return care(path, { what: 'compact' });
}

/**
 * Encrypts all that a store keeps anew, with a key of its own that the newest of the given ones wraps; nobody may have it
 * open. Resolves with how many rows of each table it has. Rejects with `OPTION_INVALID` when a key is missing, and with
 * `STORE_CORRUPT` when something is damaged; then the store is as it was.
 */
export function rekeyStoreFile(path: string, keys: StoreKeys): Promise<StoreReport['counts']> {
  return care(path, { what: 'rekey', now: Date.now(), encryption: wrappingKeys(keys) });
}

/** Writes all that a store has to a new file, as lines of JSON and not encrypted; resolves with how many. */
export function exportStoreLines(path: string, to: string, keys?: StoreKeys): Promise<number> {
  return care(path, {
    what: 'export',
    to: resolve(to),
    now: Date.now(),
    encryption: keys && wrappingKeys(keys),
  });
}

/** What a start finds of a store. */
export interface StoreLook {
  readonly exists: boolean;
  /** Whether this user may write to the file, or make it. */
  readonly writable: boolean;
  readonly bytes: number;
  /** The room on its disk. */
  readonly freeBytes: number;
  /** The name of its file system, when that is not of this machine. */
  readonly fileSystem?: string;
  /** The process that has it open; 0 when that is not known. */
  readonly holder?: number;
  /** Whether the last two processes that had it ended soon, and without a stop, so that the next start is careful. */
  readonly careful?: boolean;
}

/** Looks at a store that may not be there, and changes nothing. Rejects with `STORE_CORRUPT` or `STORE_TOO_NEW`. */
export function lookAtStore(path: string): Promise<StoreLook> {
  return care(path, { what: 'look' });
}

/** What instances that are not in memory have to do, and since when, in milliseconds since the epoch. */
export interface WaitingInStore {
  readonly rows: number;
  readonly rowsSince: number | null;
  readonly timers: number;
  readonly timersSince: number | null;
  /** Whether the store was restored, and wakes nobody until it is resumed. */
  readonly restored: boolean;
}

/** Counts the events that wait and the timers that are due at `now`, also while the owner goes on. */
export function waitingInStore(path: string, now: number): Promise<WaitingInStore> {
  return care(path, { what: 'waiting', now });
}

/** Deletes everything of one address from a store that nobody has open; resolves with how many rows that were. */
export function forgetInStore(path: string, address: string): Promise<number> {
  return care(path, { what: 'forget', address });
}

/** It takes as long as the store is large: whoever waits gives up by ending the process. */
function care<T>(path: string, work: Work): Promise<T> {
  return new Promise((done, fail) => {
    const worker = new Worker(entry, {
      name: 'holdfast:store-care',
      workerData: { ...work, path: resolve(path), temporary: tmpdir() } satisfies CareTask,
      // From source, with what strips types.
      env: extension === '.ts' ? { ...process.env } : {},
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    worker.once('message', (answer: { value: T } | { error: WireStoreError }) =>
      'error' in answer ? fail(fromWire(answer.error)) : done(answer.value),
    );
    worker.once('error', fail);
    worker.once('exit', () =>
      fail(new HoldfastError('STORE_FAILED', `the thread for the store ${path} has ended`)),
    );
  });
}
