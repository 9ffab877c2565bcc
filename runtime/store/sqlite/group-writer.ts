import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type {
  CommitGroup,
  CommitResult,
  KeptId,
  KeptLetter,
  MailboxRow,
  StateParts,
  TurnCommit,
} from '../durable-store.ts';
import { numbersIn } from '../../base/marked-text.ts';
import { letterIdOf, rowLetter } from '../row-letter.ts';
import {
  idColumns,
  type KeptTexts,
  letterColumns,
  RECORD_COLUMNS,
  recordColumns,
  ROW_COLUMNS,
  rowColumns,
  firstText,
  STEP_COLUMNS,
  stepColumns,
  TEXT_COLUMNS,
  textColumns,
  textIds,
  toRow,
} from '../columns/forms.ts';
import type { KeptTables } from './kept-tables.ts';
import { RowCounts } from './row-counts.ts';
import type { Seals } from '../columns/seals.ts';

/** What stands in the way of a turn, or what it replaces. */
type Stored = readonly [
  id: number,
  commit: string,
  dueAt: number | null,
  wakes: number,
  quarantined: number,
  texts: number,
  textsSince: string | null,
];

/** The rows that are not written. */
type LostRows = Record<'unknown' | 'full', number[]>;

/** The most records of which it is known where they are, beside those on disk. */
const MOST_KNOWN = 10_000;

/** Writes groups; a transaction is around them. */
export class GroupWriter {
  readonly #seals: Seals;
  /** Where the records are that were written last: nobody else writes any. */
  readonly #known = new Map<string, Stored>();
  readonly #stored: StatementSync;
  readonly #insertRecord: StatementSync;
  readonly #updateState: StatementSync;
  readonly #updateRecord: StatementSync;
  readonly #deleteRecord: StatementSync;
  readonly #isRecord: StatementSync;
  readonly #putText: StatementSync;
  readonly #deleteText: StatementSync;
  readonly #deleteTexts: StatementSync;
  readonly #insertRow: StatementSync;
  readonly #deleteRow: StatementSync;
  readonly #rowsOf: StatementSync;
  readonly #deleteRows: StatementSync;
  readonly #countAttempts: StatementSync;
  readonly #kept: KeptTables;
  readonly #putStep: StatementSync;
  readonly #deleteStart: StatementSync;
  readonly #deleteSteps: StatementSync;
  readonly #letterReason: StatementSync;
  readonly #isRow: StatementSync;
  readonly #counts: RowCounts;

  constructor(db: DatabaseSync, seals: Seals, kept: KeptTables, mostRows?: number) {
    this.#seals = seals;
    this.#kept = kept;
    this.#counts = new RowCounts(db, mostRows);
    const insert = (how: string, columns: string): StatementSync =>
      db.prepare(`${how} ${columns}) values(${columns.replaceAll(/\w+/g, '?')})`);
    this.#stored = arrays(
      db.prepare(
        'select id, commit_id, due_at, wakes, quarantined, texts, texts_commit from records where address = ?',
      ),
    );
    this.#putText = insert('insert or replace into texts(', TEXT_COLUMNS);
    this.#deleteText = db.prepare('delete from texts where id = ?');
    this.#deleteTexts = db.prepare('delete from texts where id > ? and id < ?');
    this.#insertRecord = insert('insert into records(', RECORD_COLUMNS);
    const state =
      'commit_id = ?, at = ?, incarnation = ?, seq = ?, version = ?, texts = ?, texts_commit = ?, key_id = ?, crc = ?, meta = ?, state = ?';
    this.#updateState = db.prepare(`update records set ${state} where id = ?`);
    this.#updateRecord = db.prepare(
      `update records set ${state}, due_at = ?, wakes = ?, quarantined = ? where id = ?`,
    );
    this.#deleteRecord = db.prepare('delete from records where address = ?');
    this.#isRecord = arrays(db.prepare('select 1 from records where address = ?'));
    this.#insertRow = insert('insert or ignore into rows(', ROW_COLUMNS);
    this.#deleteRow = db.prepare('delete from rows where n = ? and address = ?');
    this.#rowsOf = arrays(db.prepare(`select ${ROW_COLUMNS} from rows where address = ? order by n`));
    this.#deleteRows = db.prepare('delete from rows where address = ?');
    this.#countAttempts = db.prepare('update rows set attempts = ? where n = ?');
    this.#putStep = insert('insert or replace into steps(', STEP_COLUMNS);
    this.#deleteStart = db.prepare('delete from steps where address = ? and start = ?');
    this.#deleteSteps = db.prepare('delete from steps where address = ?');
    this.#letterReason = arrays(db.prepare('select reason from letters where id = ?'));
    this.#isRow = arrays(db.prepare('select 1 from rows where n = ?'));
  }

  /** `hasRoom`: whether there is room for what was not there before. */
  write(group: CommitGroup, hasRoom: boolean): CommitResult {
    const { at, turns, rows, letters, removedLetters, ids, attempts } = group;
    const fenced: string[] = [];
    const lost: LostRows = { unknown: [], full: [] };
    const refused = { addresses: [] as string[], rows: [] as number[] };
    const sends: MailboxRow[] = [];
    const again: MailboxRow[] = [];
    const sentTo = new Set<string>();
    for (const turn of turns) {
      const { address, after, record } = turn;
      const stored = this.#known.get(address) ?? (this.#stored.get(address) as unknown as Stored | undefined);
      const commit = stored?.[1];
      if (commit === group.id && record !== undefined) {
        // The group has come again: of what this turn sent nothing is written twice, whatever became of it since.
        for (const row of turn.sends ?? []) {
          if (this.#lostBefore(row.n, lost)) again.push(row);
          sentTo.add(row.to);
        }
      } else if ((commit !== after && commit !== group.id) || isAstray(turn, stored)) fenced.push(address);
      else if (stored === undefined && record !== undefined && !hasRoom) refused.addresses.push(address);
      else {
        this.#writeTurn(turn, stored, group);
        if (turn.sends !== undefined) sends.push(...turn.sends);
      }
    }
    if (ids !== undefined) this.#putIds(ids);
    for (const row of again) this.#deleteOpenId(row);
    const taken: MailboxRow[] = [];
    for (const row of rows ?? [])
      if (hasRoom || this.#isWritten(row.n)) taken.push(row);
      else {
        refused.rows.push(row.n);
        this.#deleteOpenId(row);
      }
    // A letter goes for the row in its place: it stays when that is not written.
    if (removedLetters !== undefined && refused.rows.length === 0)
      for (const id of removedLetters) this.#kept.deleteLetter(id);
    for (const row of sends) {
      sentTo.add(row.to);
      if (!this.#writeRow(row, at, lost)) this.#toLetter(row, 'mailbox-full', at);
    }
    const isReplay = removedLetters !== undefined;
    for (const row of taken) {
      sentTo.add(row.to);
      if (!this.#writeRow(row, at, lost, isReplay)) this.#deleteOpenId(row);
    }
    if (letters !== undefined) this.#putLetters(letters);
    if (attempts !== undefined) for (const [n, count] of attempts) this.#countAttempts.run(count, n);
    const dropped = this.#kept.bound();
    const { unknown, full } = lost;
    const crowded = [...sentTo].filter((to) => this.#counts.isCrowded(to));
    return {
      fenced,
      unknown,
      ...(full.length > 0 && { full }),
      ...(crowded.length > 0 && { crowded }),
      ...(refused.addresses.length + refused.rows.length > 0 && { refused }),
      ...(dropped && { dropped }),
    };
  }

  #writeTurn(turn: TurnCommit, stored: Stored | undefined, { id, at }: CommitGroup): void {
    const { address, record, handled, ids, letters, steps, endedStarts } = turn;
    if (handled !== undefined) {
      let gone = 0;
      for (const n of handled) gone += Number(this.#deleteRow.run(n, address).changes);
      if (gone > 0) this.#counts.add(address, -gone);
    }
    if (turn.texts !== undefined && stored !== undefined)
      this.#putTexts([address, stored[0]], turn.texts, stored[6] as string);
    if (ids !== undefined) this.#putIds(ids);
    if (letters !== undefined) this.#putLetters(letters);
    if (turn.end === true) return this.#end(address, at, stored);
    if (record !== undefined) {
      const texts = textsAfter(record.parts, stored, id);
      const columns = recordColumns(record, [id, at, texts], this.#seals);
      const of = stored?.[0] ?? Number(this.#insertRecord.run(...columns).lastInsertRowid);
      if (stored !== undefined) this.#update(columns, stored);
      if (texts.count > 0 || (stored !== undefined && stored[5] > 0))
        this.#writeTexts([address, of], record.parts, texts.since);
      this.#know(columns, of);
    }
    if (steps !== undefined)
      for (const step of steps) this.#putStep.run(...stepColumns(address, step, this.#seals));
    if (endedStarts !== undefined) for (const start of endedStarts) this.#deleteStart.run(address, start);
  }

  #writeTexts(
    of: readonly [address: string, id: number],
    parts: StateParts | undefined,
    since: string | null,
  ): void {
    const [, record] = of;
    if (parts?.isWhole !== false) this.#deleteTexts.run(...textIds(record));
    if (parts === undefined) return;
    for (const number of parts.removed) this.#deleteText.run(firstText(record) + number);
    if (since === null) return;
    this.#putTexts(of, parts.added, since);
  }

  #putTexts(of: readonly [address: string, id: number], added: StateParts['added'], since: string): void {
    for (const part of added) this.#putText.run(...textColumns(of, since, part, this.#seals));
  }

  /** Without a touch of what indexes are made of, where that is as it was. */
  #update(columns: ReturnType<typeof recordColumns>, stored: Stored): void {
    const [id, , wasDueAt, woke, wasQuarantined] = stored;
    const [, commit, at, incarnation, seq, dueAt, wakes, quarantined, ...rest] = columns as never[];
    const of = [commit, at, incarnation, seq, ...rest] as never[];
    if (dueAt === wasDueAt && wakes === woke && quarantined === wasQuarantined)
      this.#updateState.run(...of, id);
    else this.#updateRecord.run(...of, dueAt as never, wakes as never, quarantined as never, id);
  }

  #know(columns: ReturnType<typeof recordColumns>, id: number): void {
    const [address, commit, , , , dueAt, wakes, quarantined, , texts, since] = columns as never as [
      string,
      ...never[],
    ];
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(address, [id, commit, dueAt, wakes, quarantined, texts, since] as never);
  }

  /** What was written last was undone. */
  forget(): void {
    this.#known.clear();
    this.#counts.forget();
  }

  #end(address: string, at: number, stored: Stored | undefined): void {
    this.#known.delete(address);
    if (stored !== undefined && stored[5] > 0) this.#writeTexts([address, stored[0]], undefined, null);
    this.#deleteRecord.run(address);
    this.#deleteSteps.run(address);
    const rows = this.#rowsOf.all(address) as never as Parameters<typeof toRow>[0][];
    if (rows.length > 0) {
      this.#putLetters(rows.map((row) => this.#letterOf(row, at)));
      this.#deleteRows.run(address);
      this.#counts.add(address, -rows.length);
    }
    this.#kept.deleteOpenIds(address);
  }

  /** An end is not to fail by a row that is damaged: its letter says so. */
  #letterOf(columns: Parameters<typeof toRow>[0], at: number): KeptLetter {
    try {
      return rowLetter(toRow(columns, this.#seals), 'stopped', at);
    } catch (error) {
      const [n, to] = columns as [number, string];
      const letter = rowLetter({ n, to, event: 'null', dueAt: 0, attempts: 0 }, 'stopped', at);
      return { ...letter, meta: JSON.stringify({ n, damaged: (error as Error).message }) };
    }
  }

  /** Whether the row is there, or the letter that it became: its group has come again. */
  #isWritten(n: number): boolean {
    return this.#isRow.get(n) !== undefined || this.#letterReason.get(letterIdOf(n)) !== undefined;
  }

  /** Whether the row became a letter when its group came first. */
  #lostBefore(n: number, lost: LostRows): boolean {
    const [reason] = (this.#letterReason.get(letterIdOf(n)) ?? []) as unknown as [string?];
    if (reason === undefined) return false;
    lost[reason === 'mailbox-full' ? 'full' : 'unknown'].push(n);
    return true;
  }

  /** Returns `false` for a row of which nothing is written, as too many wait for its address; that is so for no replay. */
  #writeRow(row: MailboxRow, at: number, { unknown, full }: LostRows, isReplay = false): boolean {
    const { n, to } = row;
    if (this.#isRecord.get(to) === undefined) {
      unknown.push(n);
      this.#toLetter(row, 'unknown-address', at);
    } else if (isReplay || !this.#counts.isFull(to))
      this.#counts.add(to, Number(this.#insertRow.run(...rowColumns(row, at, this.#seals)).changes));
    else if (this.#isRow.get(n) === undefined) {
      full.push(n);
      return false;
    }
    return true;
  }

  #toLetter(row: MailboxRow, reason: 'unknown-address' | 'mailbox-full', at: number): void {
    this.#putLetters([rowLetter(row, reason, at)]);
    this.#deleteOpenId(row);
  }

  #deleteOpenId({ to, caller, id }: MailboxRow): void {
    if (id !== undefined && caller !== undefined) this.#kept.deleteOpenId(to, caller, id);
  }

  #putIds(ids: readonly KeptId[]): void {
    for (const one of ids) this.#kept.putId(idColumns(one, this.#seals), one.until);
  }

  #putLetters(letters: readonly KeptLetter[]): void {
    for (const one of letters) this.#kept.putLetter(letterColumns(one, this.#seals), one.at);
  }
}

/** The parts of its long texts that the record has then. */
function textsAfter(parts: StateParts | undefined, stored: Stored | undefined, group: string): KeptTexts {
  if (parts === undefined) return { count: 0, since: null };
  const isWhole = parts.isWhole || stored === undefined;
  // Some may have come ahead, with others that no state has.
  const count = new Set(numbersIn(parts.text)).size;
  return { count, since: (isWhole ? null : stored[6]) ?? group };
}

/** Whether a turn has texts ahead of a state, and their record has none with which their numbers go on. */
function isAstray({ texts }: TurnCommit, stored: Stored | undefined): boolean {
  return texts !== undefined && (stored === undefined || stored[5] === 0 || stored[6] === null);
}

function arrays(statement: StatementSync): StatementSync {
  statement.setReturnArrays(true);
  return statement;
}
