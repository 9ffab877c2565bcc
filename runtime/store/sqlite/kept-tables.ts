import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { ID_COLUMNS, LETTER_COLUMNS } from '../columns/forms.ts';
import type { MetaTable, MetaValues } from './meta-table.ts';
import { toNameColumn } from '../columns/name-column.ts';

type Values = readonly SQLInputValue[];
type Kind = 'ids' | 'letters';
/** A number for each kind. */
export type KeptCounts = Readonly<Record<Kind, number>>;

/** The part of `maxBytes` that each kind may have. */
const PARTS: KeptCounts = { ids: 0.1, letters: 0.01 };
/** The most that one group drops, beside as many as it adds: so no commit waits long for that. */
const DROPPED = 256;

/** About the bytes that one takes in its table and in the indexes of that. */
const BYTES = {
  ids: '2 * octet_length(address) + 2 * octet_length(caller) + 2 * octet_length(id) + octet_length(hash) + coalesce(octet_length(value), 0) + 80',
  letters:
    '2 * octet_length(id) + octet_length(address) + octet_length(reason) + octet_length(meta) + octet_length(event) + 80',
} as const;

/**
 * What is kept of events that are over: ids with their answers, and letters. In a store with a bound the ids have a tenth of that
 * and the letters a hundredth, beyond which the oldest go. What counts is written in the transaction that changes it.
 */
export class KeptTables {
  readonly #meta: MetaTable;
  readonly #most: KeptCounts | undefined;
  readonly #putId: StatementSync;
  readonly #idBytes: StatementSync;
  readonly #deleteOpenId: StatementSync;
  readonly #deleteOpenIds: StatementSync;
  readonly #oldIds: StatementSync;
  readonly #dropIds: StatementSync;
  readonly #putLetter: StatementSync;
  readonly #letterBytes: StatementSync;
  readonly #deleteLetter: StatementSync;
  readonly #oldLetters: StatementSync;
  readonly #dropLetters: StatementSync;
  readonly #reach: Readonly<Record<Kind, StatementSync>>;
  /** The bytes of each kind as the store has them, and as they are in the transaction that is under way. */
  #stored: KeptCounts = { ids: 0, letters: 0 };
  #bytes: Record<Kind, number> = { ids: 0, letters: 0 };
  /** How many of each kind this transaction has put, and the time up to which nothing of it reaches. */
  #put: Record<Kind, number> = { ids: 0, letters: 0 };
  #before: Record<Kind, number> = { ids: Infinity, letters: Infinity };

  /** Within a transaction. Without `maxBytes` nothing is bounded, and nothing counted. */
  constructor(db: DatabaseSync, meta: MetaTable, maxBytes: number | undefined) {
    this.#meta = meta;
    this.#most =
      maxBytes === undefined ? undefined : { ids: PARTS.ids * maxBytes, letters: PARTS.letters * maxBytes };
    const counting = (kind: Kind, sql: string): StatementSync => {
      const statement = db.prepare(maxBytes === undefined ? sql : `${sql} returning ${BYTES[kind]}`);
      statement.setReturnArrays(true);
      return statement;
    };
    const bytesOf = (kind: Kind, keys: string): StatementSync => {
      const statement = db.prepare(`select ${BYTES[kind]} from ${kind} where ${keys}`);
      statement.setReturnArrays(true);
      return statement;
    };
    const put = (kind: Kind, columns: string): StatementSync =>
      counting(kind, `insert or replace into ${kind}(${columns}) values(${columns.replaceAll(/\w+/g, '?')})`);
    const old = (kind: Kind, key: string, of: string): StatementSync =>
      counting(kind, `delete from ${kind} where ${key} in (select ${of})`);
    const id = '(address, caller, id)';
    const columns = 'address, caller, id from ids';
    this.#putId = put('ids', ID_COLUMNS);
    this.#idBytes = bytesOf('ids', 'address = ? and caller = ? and id = ?');
    this.#deleteOpenId = counting(
      'ids',
      "delete from ids where address = ? and caller = ? and id = ? and outcome = 'open'",
    );
    this.#deleteOpenIds = counting('ids', "delete from ids where address = ? and outcome = 'open'");
    this.#oldIds = old('ids', id, `${columns} where until <= ? limit ?`);
    // One that is open is of an event that is to be handled.
    this.#dropIds = old('ids', id, `${columns} where until < ? and outcome <> 'open' order by until limit ?`);
    this.#putLetter = put('letters', LETTER_COLUMNS);
    this.#letterBytes = bytesOf('letters', 'id = ?');
    this.#deleteLetter = counting('letters', 'delete from letters where id = ?');
    this.#oldLetters = old('letters', 'rowid', 'rowid from letters where at < ? limit ?');
    this.#dropLetters = old('letters', 'rowid', 'rowid from letters where at < ? order by at, id limit ?');
    const reach = (kind: Kind, time: string, which: string): StatementSync =>
      db.prepare(
        `select (select max(${time}) from ${kind}) - (select ${time} from ${kind} ${which} order by ${time} limit 1) ms`,
      );
    this.#reach = {
      ids: reach('ids', 'until', "where outcome <> 'open'"),
      letters: reach('letters', 'at', ''),
    };
    this.#open(db);
  }

  #open(db: DatabaseSync): void {
    const known = this.#meta.get('kept');
    if (this.#most === undefined) {
      // Nobody counts from here on.
      if (known !== null) this.#meta.set('kept', null);
      return;
    }
    const sum = (kind: Kind): number =>
      (db.prepare(`select total(${BYTES[kind]}) bytes from ${kind}`).get() as { bytes: number }).bytes;
    const bytes: MetaValues['kept'] = known ?? { ids: sum('ids'), letters: sum('letters') };
    if (known === null) this.#meta.set('kept', bytes);
    this.#stored = bytes;
  }

  /** A transaction begins. */
  begin(): void {
    this.#bytes = { ...this.#stored };
    this.#put = { ids: 0, letters: 0 };
    this.#before = { ids: Infinity, letters: Infinity };
  }

  /** The transaction is committed. */
  committed(): void {
    this.#stored = this.#bytes;
  }

  putId(columns: Values, until: number): void {
    const [address, caller, id] = columns;
    this.#add('ids', until, [this.#idBytes, [address, caller, id] as Values], [this.#putId, columns]);
  }

  putLetter(columns: Values, at: number): void {
    this.#add('letters', at, [this.#letterBytes, columns.slice(0, 1)], [this.#putLetter, columns]);
  }

  deleteOpenId(address: string, caller: string, id: string): void {
    this.#drop('ids', this.#deleteOpenId, address, caller, toNameColumn(id));
  }

  deleteOpenIds(address: string): void {
    this.#drop('ids', this.#deleteOpenIds, address);
  }

  deleteLetter(id: string): void {
    this.#drop('letters', this.#deleteLetter, id);
  }

  /** Deletes ids whose time is up, and letters from before that, at most so many; returns how many. */
  tidy(kind: Kind, before: number, limit: number): number {
    const count = this.#drop(kind, kind === 'ids' ? this.#oldIds : this.#oldLetters, before, limit);
    this.#note();
    return count;
  }

  /** Drops the oldest of what has more than its part, but nothing of this transaction; returns how many of each kind. */
  bound(): KeptCounts | undefined {
    if (this.#most === undefined) return undefined;
    const [ids, letters] = [this.#bounded('ids', this.#dropIds), this.#bounded('letters', this.#dropLetters)];
    this.#note();
    return ids + letters === 0 ? undefined : { ids, letters };
  }

  /** Milliseconds between the oldest and the newest of each kind: so far back reaches what is left of it. */
  reach(): KeptCounts {
    const msOf = (kind: Kind): number => Number(this.#reach[kind].get()?.['ms'] ?? 0);
    return { ids: msOf('ids'), letters: msOf('letters') };
  }

  #bounded(kind: Kind, oldest: StatementSync): number {
    if (this.#put[kind] === 0 || this.#bytes[kind] <= (this.#most?.[kind] ?? Infinity)) return 0;
    return this.#drop(kind, oldest, this.#before[kind], DROPPED + this.#put[kind]);
  }

  #note(): void {
    const { ids, letters } = this.#bytes;
    if (this.#most === undefined || (ids === this.#stored.ids && letters === this.#stored.letters)) return;
    this.#meta.set('kept', { ids, letters });
  }

  #add(
    kind: Kind,
    at: number,
    [look, keys]: [StatementSync, Values],
    [put, columns]: [StatementSync, Values],
  ): void {
    if (this.#most === undefined) return void put.run(...columns);
    const replaced = bytesIn(look.all(...keys));
    this.#bytes[kind] += bytesIn(put.all(...columns)) - replaced;
    this.#put[kind] += 1;
    this.#before[kind] = Math.min(this.#before[kind], at);
  }

  #drop(kind: Kind, statement: StatementSync, ...keys: Values): number {
    if (this.#most === undefined) return Number(statement.run(...keys).changes);
    const dropped = statement.all(...keys);
    this.#bytes[kind] -= bytesIn(dropped);
    return dropped.length;
  }
}

function bytesIn(found: unknown): number {
  return (found as readonly (readonly [number])[]).reduce((sum, [bytes]) => sum + bytes, 0);
}
