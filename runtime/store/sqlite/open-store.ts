import { statSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { HoldfastError } from '../../base/errors.ts';
import type {
  CommitGroup,
  CommitResult,
  DueList,
  DuePlace,
  KeptId,
  KeptLetter,
  KeptStep,
  LetterPlace,
  MailboxRow,
  OpenedStore,
  StoredRecord,
  StoreSize,
} from '../durable-store.ts';
import { lockEarly, type Unlock } from './early-lock.ts';
import { GroupWriter } from './group-writer.ts';
import type { MetaValues } from './meta-table.ts';
import { Owner } from './owner.ts';
import { type PackedGroup, unpackGroup } from './packed-group.ts';
import { plain, type Seals } from './seals.ts';
import type { CommitFault, StoreThreadData } from './store-call.ts';
import { openFile } from './store-file.ts';
import { SQLITE, sqliteCode } from './sqlite-error.ts';
import { StoreReader } from './store-reader.ts';

/** The part of `maxBytes` from which on only what is there is worked off. */
const LITTLE_ROOM = 0.9;
/** Rows of a table that one step of a tidying takes, and the milliseconds after which it leaves the rest to the next call. */
const TIDY_ROWS = 5000;
const TIDY_MS = 1000;

/** A store in the thread that has it open. */
export class OpenStore {
  readonly #data: StoreThreadData;
  readonly #unlock: Unlock | undefined;
  #failures = 0;
  #open: Connection;

  constructor(data: StoreThreadData, _warn: (fields: object, message: string) => void) {
    this.#data = data;
    this.#unlock =
      data.lockFolder === undefined
        ? undefined
        : lockEarly(data.path, data.lockFolder, data.epoch !== undefined);
    try {
      this.#open = connect(data, data.epoch);
    } catch (error) {
      this.#unlock?.();
      throw error;
    }
  }

  /** How many commits have failed, but for those that failed with another. */
  get failures(): number {
    return this.#failures;
  }

  get opened(): OpenedStore {
    return this.#open.owner.opened;
  }

  /**
   * Writes a group. The groups that were on their way when one failed fail with it: it comes again, and before them.
   */
  commit(failures: number, packed: PackedGroup, fault: CommitFault | undefined): CommitResult {
    if (failures !== this.#failures)
      throw new HoldfastError(
        'STORE_FAILED',
        'a group before this one failed: nothing of this was written; after the other it may come again',
      );
    try {
      return this.#write(packed, fault);
    } catch (error) {
      this.#failures++;
      throw error;
    }
  }

  #write(packed: PackedGroup, fault: CommitFault | undefined): CommitResult {
    const { owner, writer, last } = this.#open;
    const group = unpackGroup(packed);
    if (fault?.at === 'before') happen(fault);
    let noted: (() => void) | undefined;
    const result = owner.run(() => {
      if (last?.id === group.id) return last.result as CommitResult;
      noted = owner.noteRows(group);
      const written = writer.write(group, this.#hasRoom());
      if (ends(group)) owner.meta.set('last', { id: group.id, result: written });
      if (fault?.at === 'within') happen(fault);
      return written;
    });
    noted?.();
    if (ends(group)) this.#open.last = { id: group.id, result };
    if (fault?.at === 'after') happen(fault);
    return result;
  }

  load = (address: string): StoredRecord | undefined => this.#open.reader.load(address);

  rows = (address: string, after: number, limit: number): MailboxRow[] =>
    this.#open.reader.rows(address, after, limit);

  steps = (address: string): KeptStep[] => this.#open.reader.steps(address);

  id = (address: string, caller: string, id: string): KeptId | undefined =>
    this.#open.reader.id(address, caller, id);

  due = (now: number, limit: number, after?: DuePlace): DueList => this.#open.reader.due(now, limit, after);

  records = (after: string | undefined, limit: number): StoredRecord[] =>
    this.#open.reader.records(after, limit);

  letters = (after: LetterPlace | undefined, limit: number): KeptLetter[] =>
    this.#open.reader.letters(after, limit);

  resume = (): void => {
    const { owner } = this.#open;
    owner.run(() => owner.meta.set('restored', false));
  };

  tidy = (now: number, lettersBefore: number): void => {
    const { owner, tidyIds, tidyLetters } = this.#open;
    const until = performance.now() + TIDY_MS;
    for (const [statement, before] of [
      [tidyIds, now],
      [tidyLetters, lettersBefore],
    ] as const) {
      while (
        owner.run(() => statement.run(before, TIDY_ROWS)).changes === TIDY_ROWS &&
        performance.now() < until
      );
    }
  };

  size = (): StoreSize => {
    const { path } = this.#data;
    const bytes = statSync(path).size + (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0);
    return { ...this.#open.reader.counts(), bytes };
  };

  close(): void {
    try {
      this.#open.owner.leave();
      this.#open.db.exec('pragma wal_checkpoint(truncate)');
    } finally {
      this.#open.db.close();
      this.#unlock?.();
    }
  }

  /**
   * After an error of the disk nobody knows what the connection believes and the file has: opens the file anew, and goes on
   * from what is there.
   */
  afterError(error: unknown): void {
    if (sqliteCode(error) !== SQLITE.ioError) return;
    this.#open.db.close();
    this.#open = connect(this.#data, this.#open.owner.epoch);
  }

  #hasRoom(): boolean {
    const { maxBytes } = this.#data;
    if (maxBytes === undefined) return true;
    const { pages, free, pageBytes } = this.#open;
    const used = (numberOf(pages) - numberOf(free)) * pageBytes;
    return used < LITTLE_ROOM * maxBytes;
  }
}

interface Connection {
  readonly db: DatabaseSync;
  readonly owner: Owner;
  readonly writer: GroupWriter;
  readonly reader: StoreReader;
  readonly tidyIds: StatementSync;
  readonly tidyLetters: StatementSync;
  readonly pages: StatementSync;
  readonly free: StatementSync;
  readonly pageBytes: number;
  /** The last group that ended an instance. */
  last: MetaValues['last'];
}

function connect(data: StoreThreadData, epoch: number | undefined): Connection {
  const db = openFile(data);
  try {
    const owner = new Owner(db, data.path, data.now, epoch);
    const seals: Seals = plain;
    return {
      db,
      owner,
      writer: new GroupWriter(db, seals),
      reader: new StoreReader(db, seals),
      tidyIds: db.prepare(
        'delete from ids where (address, caller, id) in (select address, caller, id from ids where until <= ? limit ?)',
      ),
      tidyLetters: db.prepare(
        'delete from letters where rowid in (select rowid from letters where at < ? limit ?)',
      ),
      pages: db.prepare('pragma page_count'),
      free: db.prepare('pragma freelist_count'),
      last: owner.meta.get('last'),
      pageBytes: numberOf(db.prepare('pragma page_size')),
    };
  } catch (error) {
    db.close();
    throw error;
  }
}

function ends({ turns }: CommitGroup): boolean {
  return turns.some(({ end }) => end === true);
}

/** The only column of the only row that a statement gives. */
function numberOf(statement: StatementSync): number {
  return Object.values(statement.get() as Record<string, number>)[0] as number;
}

function happen({ at, what }: CommitFault): void {
  if (what === 'process') process.kill(process.pid, 'SIGKILL');
  if (what === 'thread') process.exit();
  throw new HoldfastError('STORE_FAILED', `a test has this fail ${at} its transaction`);
}
