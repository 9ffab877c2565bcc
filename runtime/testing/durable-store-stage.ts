import assert from 'node:assert/strict';
import type { DurableStore, OpenedStore } from '../store/durable-store.ts';

/** What a case has to work with. */
export interface DurableStoreStage {
  /** Open. */
  readonly store: DurableStore;
  readonly opened: OpenedStore;
  /** Opens the data of the last store anew; undefined where that cannot be done. */
  readonly reopen: (how: 'closed' | 'killed') => Promise<Reopened | undefined>;
  /** Opens the data of the last store, which stays open; undefined where that cannot be done. */
  readonly overtake: () => Promise<Reopened | undefined>;
  /** Opens the data of the last store anew, with little room; undefined where that cannot be done. */
  readonly crowd: () => Promise<Reopened | undefined>;
}

export interface Reopened {
  readonly store: DurableStore;
  readonly opened: OpenedStore;
}

export type DurableStoreRules = Readonly<Record<string, (stage: DurableStoreStage) => Promise<void>>>;

/** The time that all openings of a case are told, in milliseconds since the epoch. */
export const OPENED_AT = 1_700_000_000_000;

/** The most rows that wait for an address in all cases. */
export const MOST_ROWS = 20;

/** Rejects with the code that is expected, and as the one class of errors. */
export async function assertCode(call: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(call, { name: 'HoldfastError', code });
}
