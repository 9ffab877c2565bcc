import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type {
  Due,
  DueList,
  DuePlace,
  KeptId,
  KeptLetter,
  KeptStep,
  LetterPlace,
  MailboxRow,
  StoredRecord,
  StoreSize,
} from '../durable-store.ts';
import { compareText } from '../compare-text.ts';
import type { Column } from '../columns/checksum.ts';
import { AddressIndex } from './address-index.ts';
import { DueByAddress } from './due-by-address.ts';
import {
  ID_COLUMNS,
  LETTER_COLUMNS,
  RECORD_FORM,
  ROW_COLUMNS,
  STEP_COLUMNS,
  toId,
  toLetter,
  toRecord,
  toRow,
  toStep,
} from '../columns/forms.ts';
import { toNameColumn } from '../columns/name-column.ts';
import type { Seals } from '../columns/seals.ts';
import { isDamage } from './sqlite-error.ts';
import { textsIn, type TextsOf } from './stored-texts.ts';

/** Before everything, as a place in a list by time. */
const START: DuePlace = { since: Number.MIN_SAFE_INTEGER, address: '' };

const WHY = ['row', 'timer', 'child'] as const;
/** Milliseconds between two looks at each instance by itself, where the lists of what is due are damaged. */
const LOOK_MS = 10_000;

/** Reads a store; also one that another connection writes. */
export class StoreReader {
  readonly #seals: Seals;
  readonly #textsOf: TextsOf;
  readonly #recordsByAddress: AddressIndex;
  readonly #rowsByAddress: AddressIndex;
  readonly #record: StatementSync;
  readonly #records: StatementSync;
  readonly #rows: StatementSync;
  readonly #steps: StatementSync;
  readonly #id: StatementSync;
  readonly #letters: StatementSync;
  readonly #db: DatabaseSync;
  readonly #due: readonly StatementSync[];
  /** Exists from the first damage on. */
  #dueByAddress: DueByAddress | undefined;
  readonly #next: StatementSync;
  readonly #counts: StatementSync;

  constructor(db: DatabaseSync, seals: Seals) {
    this.#db = db;
    this.#seals = seals;
    const prepare = (sql: string): StatementSync => {
      const statement = db.prepare(sql);
      statement.setReturnArrays(true);
      return statement;
    };
    this.#textsOf = textsIn(db);
    this.#recordsByAddress = new AddressIndex(db, 'records');
    this.#rowsByAddress = new AddressIndex(db, 'rows');
    this.#record = prepare(`select ${RECORD_FORM} from records where address = ?`);
    this.#records = prepare(`select ${RECORD_FORM} from records where address > ? order by address limit ?`);
    this.#rows = prepare(`select ${ROW_COLUMNS} from rows where address = ? and n > ? order by n limit ?`);
    this.#steps = prepare(`select ${STEP_COLUMNS} from steps where address = ? order by start, key`);
    this.#id = prepare(`select ${ID_COLUMNS} from ids where address = ? and caller = ? and id = ?`);
    this.#letters = prepare(
      `select ${LETTER_COLUMNS} from letters where (at, id) > (?, ?) order by at, id limit ?`,
    );
    this.#due = [
      // Of many rows of one address one is enough. Those that may be handled at once were written by a clock that may have
      // been ahead, and so were active children.
      `select r.address, r.since from (
         select address, min(since) since from (
           select address, since from rows where due_at = 0 and (since, address) > (?2, ?3)
           union all
           select address, due_at since from rows where due_at > 0 and due_at <= ?1 and (due_at, address) > (?2, ?3))
         group by address) r
       where exists(select 1 from records where records.address = r.address and quarantined = 0)
       order by r.since, r.address limit ?4`,
      `select address, due_at from records where quarantined = 0 and due_at is not null
       and due_at <= ?1 and (due_at, address) > (?2, ?3) order by due_at, address limit ?4`,
      `select address, at from records where wakes = 1 and quarantined = 0
       and (at, address) > (?2, ?3) order by at, address limit ?4`,
    ].map(prepare);
    this.#next = prepare(
      `select min(at) from (
         select * from (select due_at at from records where quarantined = 0 and due_at is not null and due_at > ?1
                        order by due_at limit 1)
         union all
         select * from (select due_at at from rows where due_at > 0 and due_at > ?1
                        and exists(select 1 from records where records.address = rows.address and quarantined = 0)
                        order by due_at limit 1))`,
    );
    this.#counts = prepare(
      `select (select count(*) from records), (select count(*) from rows), (select count(*) from letters),
       (select count(*) from ids)`,
    );
  }

  load(address: string): StoredRecord | undefined {
    const found = this.#record.get(address);
    if (found === undefined) this.#recordsByAddress.assertNoMore(address);
    return found && toRecord(columns(found), this.#seals, this.#textsOf);
  }

  records(after: string | undefined, limit: number): StoredRecord[] {
    const all = this.#records.all(after ?? '', limit);
    return all.map((found) => toRecord(columns(found), this.#seals, this.#textsOf));
  }

  rows(address: string, after: number, limit: number): MailboxRow[] {
    const found = this.#rows.all(address, after, limit);
    if (found.length < limit) this.#rowsByAddress.assertNoMore(address);
    return found.map((one) => toRow(columns(one), this.#seals));
  }

  steps(address: string): KeptStep[] {
    return this.#steps.all(address).map((found) => toStep(columns(found), this.#seals));
  }

  id(address: string, caller: string, id: string): KeptId | undefined {
    const found = this.#id.get(address, caller, toNameColumn(id));
    return found && toId(columns(found), this.#seals);
  }

  letters(after: LetterPlace | undefined, limit: number): KeptLetter[] {
    const { at, id } = after ?? { at: START.since, id: '' };
    return this.#letters.all(at, id, limit).map((found) => this.#letter(columns(found)));
  }

  /** One letter that is damaged is to hide no other: of that there is its place, without the event. */
  #letter(found: Column[]): KeptLetter {
    try {
      return toLetter(found, this.#seals);
    } catch (error) {
      if (!isDamage(error)) throw error;
      const [id, at, address, reason] = found as [string, number, string, string];
      const meta = JSON.stringify({ damaged: (error as Error).message });
      return { id, at, address, reason, event: '', meta };
    }
  }

  due(now: number, limit: number, after: DuePlace = START): DueList {
    try {
      return this.#dueByTime(now, limit, after);
    } catch (error) {
      if (!isDamage(error)) throw error;
      // A place in the list by time is none here: whoever was woken is passed over.
      const from = after.since === START.since ? after.address : START.address;
      const due = (this.#dueByAddress ??= new DueByAddress(this.#db)).find(now, limit, from, START.since);
      return { due, nextAt: now + LOOK_MS, damaged: (error as Error).message };
    }
  }

  #dueByTime(now: number, limit: number, after: DuePlace): DueList {
    const all = this.#due.flatMap((statement, kind) =>
      statement.all(now, after.since, after.address, limit).map((found): Due => {
        const [address, since] = columns(found) as [string, number];
        return { address, since, why: WHY[kind] as Due['why'] };
      }),
    );
    // What was before is of the kind that goes first: the order of equals is kept.
    all.sort((a, b) => a.since - b.since || compareText(a.address, b.address));
    const seen = new Set<string>();
    const due = all.filter(({ address }) => !seen.has(address) && seen.add(address)).slice(0, limit);
    const [nextAt] = columns(this.#next.get(now)) as [number | null];
    return { due, nextAt: nextAt ?? undefined };
  }

  counts(): Omit<StoreSize, 'bytes'> {
    const [records, rows, letters, ids] = columns(this.#counts.get()) as [number, number, number, number];
    return { records, rows, letters, ids };
  }
}

/** What a statement gives that returns arrays. */
function columns(found: unknown): Column[] {
  return found as Column[];
}
