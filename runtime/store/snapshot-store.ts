import type { PersistedTimer } from '../xstate/persisted-timer.ts';

/** The last state of one instance, as plain data that structured clone takes. */
export interface SnapshotRecord {
  /** Version of this format. */
  readonly v: 1;
  /** `agent/id`. There is one record for an address. */
  readonly address: string;
  /** The incarnation that was in this state. */
  readonly incarnation: number;
  /** Grows with each save of an incarnation. */
  readonly seq: number;
  /** The machine's own `version`, if it has one. */
  readonly version?: string;
  /** What XState persisted, children included. */
  readonly snapshot: unknown;
  /** Timers that had not come. */
  readonly timers: readonly PersistedTimer[];
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/**
 * Keeps the last state of instances. Pass one as `RuntimeOptions.store`; `testSnapshotStore` of `holdfast/testing` says
 * whether yours keeps the rules.
 *
 * Error behavior: a method rejects when it could not do its work. The runtime gives each call 5 s, warns, and goes on;
 * a save is tried again, a spawn that needs a load rejects with `STORE_FAILED`.
 *
 * Rules: a record that was saved is what `load` gives from then on. A save that is older than what is stored, by
 * incarnation and then by `seq`, and a delete with a lower incarnation, change nothing and reject with the
 * `HoldfastError` `STORE_FENCED`: whoever is late must not undo what a later one did. What `load` gives, and what
 * `save` was given, belongs to the caller. Calls for different addresses do not wait for each other.
 */
export interface SnapshotStore {
  /** Whether records outlive the process: then instances continue from them unless their config says `fresh`. */
  readonly durable: boolean;
  /** The record of an address; `undefined` when there is none. */
  load(address: string): Promise<SnapshotRecord | undefined>;
  /** Stores the record in place of that of its address. Saving the same again is no error. */
  save(record: SnapshotRecord): Promise<void>;
  /** Removes the record of an address that is not of a later incarnation; no error when there is none. */
  delete(address: string, incarnation: number): Promise<void>;
}
