import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { HoldfastError } from '../../base/errors.ts';
import type { CommitGroup, OpenedStore } from '../durable-store.ts';
import { type MetaTable, metaTable } from './meta-table.ts';

/** The number of unclean ends that a store remembers. */
const UNCLEAN_ENDS = 10;
/** The numbers of rows that are set aside at once, so that it is written once in so many rows. */
const ROWS_AHEAD = 1_000_000;

/**
 * The one who may write: by the number of the opening that stands in the store, and by that of its thread. A thread goes on
 * with an opening without changing its number, so the next one can even when nobody heard how far this one came.
 */
export class Owner {
  readonly #meta: MetaTable;
  readonly #path: string;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #db: DatabaseSync;
  readonly epoch: number;
  readonly #thread: number;
  readonly opened: OpenedStore;
  #nextRow: number;
  /** The numbers of rows below it are set aside. */
  #rowsUntil: number;

  /**
   * Opens the store; whoever had it open writes nothing from here on.
   *
   * @param epoch of the opening that goes on; undefined for one that begins
   * @param thread the number of this thread among those of the opening
   */
  constructor(db: DatabaseSync, path: string, now: number, epoch?: number, thread = 0) {
    this.#thread = thread;
    this.#db = db;
    this.#path = path;
    this.#meta = metaTable(db);
    this.#begin = db.prepare('begin immediate');
    this.#commit = db.prepare('commit');
    [this.epoch, this.opened] = this.#transaction(() => this.#take(now, epoch));
    this.#nextRow = this.opened.firstRow;
    this.#rowsUntil = this.opened.firstRow;
  }

  /** Runs `write` in a transaction, unless somebody else has opened the store. */
  run<T>(write: () => T): T {
    return this.#transaction(() => {
      if (!this.#isOwner()) throw this.#taken();
      return write();
    });
  }

  /** Notes the numbers of the groups' rows, in their transaction; what it returns is for after the commit. */
  noteRows(groups: readonly CommitGroup[]): () => void {
    let next = this.#nextRow;
    for (const { turns, rows = [] } of groups) {
      for (const { n } of rows) next = Math.max(next, n + 1);
      for (const { sends } of turns)
        if (sends !== undefined) for (const { n } of sends) next = Math.max(next, n + 1);
    }
    const until = next > this.#rowsUntil ? next + ROWS_AHEAD : this.#rowsUntil;
    if (until !== this.#rowsUntil) this.#meta.set('nextRow', until);
    return () => {
      this.#nextRow = next;
      this.#rowsUntil = until;
    };
  }

  get meta(): MetaTable {
    return this.#meta;
  }

  /** Says that all is done, unless somebody else has opened the store. */
  leave(): void {
    this.#transaction(() => {
      if (!this.#isOwner()) return;
      this.#meta.set('openedAt', null);
      this.#meta.set('nextRow', this.#nextRow);
    });
  }

  #take(now: number, goesOn: number | undefined): [number, OpenedStore] {
    const meta = this.#meta;
    const uncleanEnds = [...meta.get('uncleanEnds')];
    const openedAt = meta.get('openedAt');
    const epoch = goesOn ?? meta.get('epoch') + 1;
    if (goesOn !== undefined) {
      const [opening, thread] = meta.get('writer');
      // One that was given up may come to it after the next one.
      if (opening !== epoch || thread > this.#thread) throw this.#taken();
    } else {
      if (openedAt !== null) {
        uncleanEnds.push(openedAt);
        uncleanEnds.splice(0, uncleanEnds.length - UNCLEAN_ENDS);
        meta.set('uncleanEnds', uncleanEnds);
      }
      meta.set('openedAt', now);
      meta.set('epoch', epoch);
    }
    meta.set('writer', [epoch, this.#thread]);
    const [storeId, restored, firstRow] = [meta.get('storeId'), meta.get('restored'), meta.get('nextRow')];
    return [epoch, { storeId, epoch, firstRow, uncleanEnds, restored }];
  }

  #isOwner(): boolean {
    const [epoch, thread] = this.#meta.get('writer');
    return epoch === this.epoch && thread === this.#thread;
  }

  #taken(): HoldfastError {
    return new HoldfastError(
      'STORE_LOCKED',
      `another process has opened the store ${this.#path}, and this one writes nothing to it any more: end one of the two`,
    );
  }

  #transaction<T>(write: () => T): T {
    this.#begin.run();
    try {
      const result = write();
      this.#commit.run();
      return result;
    } catch (error) {
      // SQLite has rolled back by itself where there is no room.
      if (this.#db.isTransaction) this.#db.exec('rollback');
      throw error;
    }
  }
}
