import type { WireStoreError } from './wire-store-error.ts';
import type { WrappingKeys } from './key-ring.ts';
import type { PackedGroup } from './packed-group.ts';

/** What a store's thread is born with. */
export interface StoreThreadData {
  readonly path: string;
  readonly fsync: 'disk' | 'os';
  readonly maxBytes?: number | undefined;
  /** The most rows that wait for one address. */
  readonly mostRows?: number | undefined;
  /** The folder for temporary files in which the lock is; undefined: without a lock. */
  readonly lockFolder: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly encryption?: WrappingKeys | undefined;
  /** The epoch of the opening that goes on in this thread; undefined for one that begins. */
  readonly epoch: number | undefined;
  /** The number of this thread among those of its opening: 0 is the first. */
  readonly thread: number;
}

/**
 * Where a commit is to fail, for tests: before its transaction, within it, or after it. `thread`: the store's thread ends
 * there; `process`: the whole process does, by SIGKILL; `silence`: the thread does not get on.
 */
export interface CommitFault {
  readonly at: 'before' | 'within' | 'after';
  readonly what: 'error' | 'thread' | 'process' | 'silence';
}

/**
 * A call of the store's thread: its number, how many failed commits the caller has heard of, the method, and what it takes.
 * Number 0 is the opening.
 */
export type StoreCall = readonly [id: number, failures: number, method: StoreMethod, ...given: unknown[]];

export type CommitCall = readonly [group: PackedGroup, fault: CommitFault | undefined];

export type StoreMethod =
  | 'commit'
  | 'load'
  | 'rows'
  | 'steps'
  | 'id'
  | 'due'
  | 'records'
  | 'letters'
  | 'resume'
  | 'tidy'
  | 'size'
  | 'rekey'
  | 'close';

/**
 * What the thread says: the answer to a call by its number, or to several commits; with an error also how many commits have
 * failed; or a warning.
 */
export type StoreAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly ids: readonly number[]; readonly values: readonly unknown[] }
  | { readonly id: number; readonly error: WireStoreError; readonly failures: number }
  | { readonly warn: readonly [fields: object, message: string] };
