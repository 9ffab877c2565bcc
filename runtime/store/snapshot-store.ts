import type { PersistedTimer } from '../xstate/persisted-timer.ts';

/** The last state of one instance, as plain data that structured clone accepts. */
export interface SnapshotRecord {
  /** The version of this format. */
  readonly v: 1;
  /** The address, `agent/id`. There is one record for each address. */
  readonly address: string;
  /** The incarnation that was in this state. */
  readonly incarnation: number;
  /** The number of the save within its incarnation; it grows with each one. */
  readonly seq: number;
  /** The machine's own `version`, if it has one. */
  readonly version?: string;
  /** The snapshot that XState persisted, children included. */
  readonly snapshot: unknown;
  /** The pending timers. */
  readonly timers: readonly PersistedTimer[];
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/**
 * A store for the last state of each instance. Pass one as `RuntimeOptions.store`; `testSnapshotStore` of
 * `holdfast/testing` tests whether yours follows the rules.
 *
 * Errors: a method rejects when it could not do its work. The runtime gives each call 5 s, warns, and continues; it
 * tries a save again, and rejects a spawn that needs a load with `STORE_FAILED`.
 *
 * Rules: a record that was saved is what `load` gives from then on. A save that is older than what is stored, by
 * incarnation and then by `seq`, and a delete with a lower incarnation, change nothing and reject with the
 * `HoldfastError` `STORE_FENCED`: a late call must not undo a later one. The record that `load` returns, and the one
 * that `save` was given, belong to the caller. Calls for different addresses do not wait for each other.
 */
export interface SnapshotStore {
  /** Whether records outlive the process; instances then continue from them unless their config says `fresh`. */
  readonly durable: boolean;
  /** Resolves with the record of an address; `undefined` when there is none. */
  load(address: string): Promise<SnapshotRecord | undefined>;
  /** Stores the record in place of the one that its address has. Saving the same record again is not an error. */
  save(record: SnapshotRecord): Promise<void>;
  /** Removes the record of an address unless it is of a later incarnation; not an error when there is none. */
  delete(address: string, incarnation: number): Promise<void>;
}
