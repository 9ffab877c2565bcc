import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { HoldfastError } from '../../base/errors.ts';
import type { CommitGroup, OpenedStore } from '../durable-store.ts';
import { type MetaTable, metaTable } from './meta-table.ts';

/** The number of unclean ends that a store remembers. */
const UNCLEAN_ENDS = 10;
/** The numbers of rows that are set aside at once, so that it is written once in so many rows. */
const ROWS_AHEAD = 1_000_000;

/** The one who may write, by the number of the opening that stands in the store. */
export class Owner {
  readonly #meta: MetaTable;
  readonly #path: string;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #db: DatabaseSync;
  readonly epoch: number;
  readonly opened: OpenedStore;
  #nextRow: number;
  /** The numbers of rows below it are set aside. */
  #rowsUntil: number;

  /**
   * Opens the store; whoever had it open writes nothing from here on.
   *
   * @param epoch of the opening that goes on; undefined for one that begins
   */
  constructor(db: DatabaseSync, path: string, now: number, epoch?: number) {
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
      this.#check(this.epoch);
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
      if (this.#meta.get('epoch') !== this.epoch) return;
      this.#meta.set('openedAt', null);
      this.#meta.set('nextRow', this.#nextRow);
    });
  }

  #take(now: number, epoch: number | undefined): [number, OpenedStore] {
    const meta = this.#meta;
    const uncleanEnds = [...meta.get('uncleanEnds')];
    if (epoch !== undefined) this.#check(epoch);
    const openedAt = meta.get('openedAt');
    if (epoch === undefined && openedAt !== null) {
      uncleanEnds.push(openedAt);
      uncleanEnds.splice(0, uncleanEnds.length - UNCLEAN_ENDS);
      meta.set('uncleanEnds', uncleanEnds);
    }
    if (epoch === undefined) meta.set('openedAt', now);
    const next = meta.get('epoch') + 1;
    meta.set('epoch', next);
    const [storeId, restored, firstRow] = [meta.get('storeId'), meta.get('restored'), meta.get('nextRow')];
    return [next, { storeId, epoch: next, firstRow, uncleanEnds, restored }];
  }

  #check(epoch: number): void {
    if (this.#meta.get('epoch') === epoch) return;
    throw new HoldfastError(
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
