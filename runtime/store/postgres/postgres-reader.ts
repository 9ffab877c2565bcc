import { compareText } from '../compare-text.ts';
import { type Columns, toId, toLetter, toRecord, toRow, toStep } from '../columns/forms.ts';
import { toNameColumn } from '../columns/name-column.ts';
import type { Column } from '../columns/checksum.ts';
import { type Seals, sealsWith } from '../columns/seals.ts';
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
import { rowLetter } from '../row-letter.ts';
import type { DeadLetterReason } from '../../base/dead-letter-reason.ts';
import { HoldfastError } from '../../base/errors.ts';
import { PARTITIONS } from '../../base/partition.ts';
import type { Query } from './postgres-line.ts';
import { quoted } from './schema.ts';
import { fromText, fromValue, toText } from './values.ts';

/** Before everything, as a place in a list by time. */
const START: DuePlace = { since: Number.MIN_SAFE_INTEGER, address: '' };
const WHY = ['row', 'timer', 'child'] as const;
/** The kind of a row in the list of what is due that has the next time. */
const NEXT = WHY.length;

const RECORD =
  'address, commit_id, at, incarnation, seq, due_at, wakes, quarantined, version, 0, null, key_id, crc, meta, state, 0';
const ROW = 'n, address, since, due_at, sender, id, caller, key_id, crc, event, attempts';
const ID = 'address, caller, id, hash, outcome, until, key_id, crc, value';
const STEP = 'address, start, key, key_id, crc, value';
const LETTER = 'id, at, address, reason, key_id, crc, meta, event';
/** A letter that was a row, as that row, with what it became. */
const LETTER_ROW =
  'n, address, since, due_at, sender, row_id, caller, key_id, crc, event, attempts, activate, reason, at';

/** Nothing in a database is encrypted by Holdfast. */
export const noSeals = sealsWith({ current: undefined, keyOf: () => undefined, isAll: false });

/** Whether the partition of an address, as the function of the base computes it, is one of those that are asked about. */
function held(address: string): string {
  return `($5::integer[] is null or get_byte(sha256(convert_to(${address}, 'UTF8')), 0) % ${PARTITIONS} = any($5))`;
}

/** What a schema is asked, each with one statement that leaves nothing behind in the session. */
export class PostgresReader {
  readonly #seals: () => Seals;
  readonly #sql: Readonly<
    Record<'load' | 'records' | 'rows' | 'steps' | 'id' | 'letters' | 'due' | 'size', string>
  >;

  constructor(schema: string, seals: () => Seals) {
    const at = quoted(schema);
    const size = ['owner', 'records', 'rows', 'ids', 'steps', 'letters']
      .map((table) => `pg_total_relation_size('${at.replaceAll("'", "''")}.${table}'::regclass)`)
      .join(' + ');
    this.#seals = seals;
    this.#sql = {
      load: `select ${RECORD} from ${at}.records where address = $1`,
      records: `select ${RECORD} from ${at}.records where address > $1 order by address limit $2`,
      rows: `select ${ROW} from ${at}.rows where address = $1 and n > $2 order by n limit $3`,
      steps: `select ${STEP} from ${at}.steps where address = $1 order by start, key`,
      id: `select ${ID} from ${at}.ids where address = $1 and caller = $2 and id = $3`,
      letters: `select ${LETTER}, ${LETTER_ROW} from ${at}.letters where (at, id) > ($1, $2) order by at, id limit $3`,
      // Of many rows of one address one is enough. Those that may be handled at once were written by a clock that may have
      // been ahead, and so were active children.
      due: `(select 0, r.address, r.since from (
          select address, min(since) as since from (
            select address, since from ${at}.rows where due_at = 0 and (since, address) > ($2, $3)
            union all
            select address, due_at from ${at}.rows where due_at > 0 and due_at <= $1 and (due_at, address) > ($2, $3)) w
          group by address) r
        where exists(select from ${at}.records x where x.address = r.address and x.quarantined = 0) and ${held('r.address')}
        order by r.since, r.address limit $4)
        union all
        (select 1, address, due_at from ${at}.records where quarantined = 0 and due_at is not null and due_at <= $1
         and (due_at, address) > ($2, $3) and ${held('address')} order by due_at, address limit $4)
        union all
        (select 2, address, at from ${at}.records where wakes = 1 and quarantined = 0
         and (at, address) > ($2, $3) and ${held('address')} order by at, address limit $4)
        union all
        select ${NEXT}, '', min(n.at) from (
          (select due_at as at from ${at}.records where quarantined = 0 and due_at is not null and due_at > $1
           and ${held('address')} order by due_at limit 1)
          union all
          (select due_at from ${at}.rows y where due_at > 0 and due_at > $1
           and exists(select from ${at}.records x where x.address = y.address and x.quarantined = 0)
           and ${held('address')} order by due_at limit 1)) n`,
      size: `select (select count(*) from ${at}.records), (select count(*) from ${at}.rows), (select count(*) from ${at}.letters),
        (select count(*) from ${at}.ids), ${size}`,
    };
  }

  async load(query: Query, address: string): Promise<StoredRecord | undefined> {
    const [found] = await query(this.#sql.load, [toText(address)]);
    return found && this.#record(found);
  }

  async records(query: Query, after: string | undefined, limit: number): Promise<StoredRecord[]> {
    const found = await query(this.#sql.records, [after === undefined ? '' : toText(after), limit]);
    return found.map((columns) => this.#record(columns));
  }

  async rows(query: Query, address: string, after: number, limit: number): Promise<MailboxRow[]> {
    const found = await query(this.#sql.rows, [toText(address), after, limit]);
    return found.map((columns) => toRow(columnsOf(columns), this.#seals()));
  }

  async steps(query: Query, address: string): Promise<KeptStep[]> {
    const found = await query(this.#sql.steps, [toText(address)]);
    return found.map((columns) => toStep(columnsOf(columns), this.#seals()));
  }

  async id(query: Query, address: string, caller: string, id: string): Promise<KeptId | undefined> {
    const [found] = await query(this.#sql.id, [toText(address), toText(caller), toText(toNameColumn(id))]);
    return found && toId(columnsOf(found), this.#seals());
  }

  async letters(query: Query, after: LetterPlace | undefined, limit: number): Promise<KeptLetter[]> {
    const { at, id } = after ?? { at: START.since, id: '' };
    const found = await query(this.#sql.letters, [at, toText(id), limit]);
    return found.map((columns) => this.#letter(columnsOf(columns)));
  }

  /** `parts`: the partitions whose addresses are listed; undefined: all. */
  async due(
    query: Query,
    now: number,
    limit: number,
    after: DuePlace = START,
    parts?: readonly number[],
  ): Promise<DueList> {
    const given = [now, after.since, toText(after.address), limit, parts ?? null];
    const found = await query(this.#sql.due, given);
    const all: (Due & { readonly kind: number })[] = [];
    let nextAt: number | undefined;
    for (const [kind, address, since] of found as [number, string, number | null][])
      if (kind === NEXT) nextAt = since ?? undefined;
      else
        all.push({ kind, address: fromText(address), since: since as number, why: WHY[kind] as Due['why'] });
    all.sort((a, b) => a.since - b.since || compareText(a.address, b.address) || a.kind - b.kind);
    const seen = new Set<string>();
    const first = all.filter(({ address }) => !seen.has(address) && seen.add(address)).slice(0, limit);
    return { due: first.map(({ address, since, why }) => ({ address, since, why })), nextAt };
  }

  async size(query: Query): Promise<StoreSize> {
    const [found] = await query(this.#sql.size, []);
    const [records, rows, letters, ids, bytes] = found as [number, number, number, number, number];
    return { records, rows, letters, ids, bytes };
  }

  #record(columns: readonly unknown[]): StoredRecord {
    return toRecord(columnsOf(columns), this.#seals(), () => []);
  }

  /** One letter that is damaged is to hide no other: of that there is its place, without the event. */
  #letter(columns: Columns): KeptLetter {
    const [id, at, address, reason] = columns as never as [string, number, string, DeadLetterReason];
    const n = columns[LETTER.split(', ').length];
    try {
      if (n === null) return toLetter(columns, this.#seals());
      const row = columns.slice(LETTER.split(', ').length);
      const activate = (row[11] as unknown) === true ? { activate: true } : undefined;
      return rowLetter({ ...toRow(row, this.#seals()), ...activate }, reason, at);
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'STORE_CORRUPT') throw error;
      return { id, at, address, reason, event: '', meta: JSON.stringify({ damaged: error.message }) };
    }
  }
}

/** What was read, as it was before it was written. */
function columnsOf(found: readonly unknown[]): Columns {
  return found.map((value): Column => {
    if (typeof value === 'string') return fromText(value);
    return Buffer.isBuffer(value) ? fromValue(value) : (value as Column);
  });
}
