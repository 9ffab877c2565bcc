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
import { KeptTables } from './kept-tables.ts';
import type { MetaValues } from './meta-table.ts';
import { Owner } from './owner.ts';
import { type PackedGroup, unpackGroup } from './packed-group.ts';
import { openKeys, rewrapKeys, type WrappingKeys } from './key-ring.ts';
import type { CommitFault, StoreThreadData } from './store-call.ts';
import { lastingLogDamage, sayLogDamage } from './log-check.ts';
import { openFile } from './store-file.ts';
import { warnOfPlace } from './store-place.ts';
import { corrupt } from '../columns/corrupt.ts';
import { isDamage, SQLITE, sqliteCode } from './sqlite-error.ts';
import { StoreReader } from './store-reader.ts';

/** The part of `maxBytes` from which on only what is there is worked off. */
const LITTLE_ROOM = 0.9;
/** Rows of a table that one step of a tidying takes, and the milliseconds after which it leaves the rest to the next call. */
const TIDY_ROWS = 5000;
const TIDY_MS = 1000;
const HOUR_MS = 60 * 60 * 1000;
/** Milliseconds between two warnings that something was dropped. */
const WARN_MS = HOUR_MS;

/** A store in the thread that has it open. */
export class OpenStore {
  #data: StoreThreadData;
  readonly #unlock: Unlock | undefined;
  readonly #warn: (fields: object, message: string) => void;
  #warnedAt = -Infinity;
  #failures = 0;
  #open: Connection;

  constructor(data: StoreThreadData, warn: (fields: object, message: string) => void) {
    this.#data = data;
    this.#warn = warn;
    this.#unlock =
      data.lockFolder === undefined
        ? undefined
        : lockEarly(data.path, data.lockFolder, data.epoch !== undefined);
    try {
      checkLog(data, warn);
      this.#open = connect(data, data.epoch);
      warnOfPlace(data.path, warn);
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
   * Writes groups, in one transaction where that can be. When one fails, all of them do, and so do those that were on their
   * way by then: they come again, in their order.
   */
  commit(failures: number, packed: readonly PackedGroup[], fault?: CommitFault): CommitResult[] {
    if (failures !== this.#failures)
      throw new HoldfastError(
        'STORE_FAILED',
        'a group before this one failed: nothing of this was written; after the other it may come again',
      );
    try {
      const groups = packed.map(unpackGroup);
      const together = groups.length > 1 && !groups.some(ends) ? this.#writeTogether(groups) : undefined;
      return together ?? groups.map((group) => this.#write(group, fault));
    } catch (error) {
      this.#failures++;
      throw error;
    }
  }

  /** Undefined: one of the groups meets a page that is damaged, and nothing was written. */
  #writeTogether(groups: readonly CommitGroup[]): CommitResult[] | undefined {
    const { owner, writer } = this.#open;
    let noted: (() => void) | undefined;
    try {
      const results = this.#run(() => {
        noted = owner.noteRows(groups);
        return groups.map((group) => writer.write(group, this.#hasRoom()));
      });
      noted?.();
      for (const result of results) this.#warnOfDropped(result);
      return results;
    } catch (error) {
      if (isDamage(error)) return undefined;
      throw error;
    }
  }

  /** Runs `write` in a transaction. What the writer knows of records may be of one that is undone. */
  #run<T>(write: () => T): T {
    const { kept, owner } = this.#open;
    kept.begin();
    try {
      const result = owner.run(write);
      kept.committed();
      return result;
    } catch (error) {
      this.#open.writer.forget();
      throw error;
    }
  }

  #write(group: CommitGroup, fault: CommitFault | undefined): CommitResult {
    const { owner, writer, last } = this.#open;
    if (fault?.at === 'before') happen(fault);
    if (last?.id === group.id) return last.result as CommitResult;
    let noted: (() => void) | undefined;
    const write = (part: CommitGroup): CommitResult =>
      this.#run(() => {
        noted = owner.noteRows([group]);
        const written = writer.write(part, this.#hasRoom());
        if (part === group && ends(group)) owner.meta.set('last', { id: group.id, result: written });
        if (fault?.at === 'within') happen(fault);
        return written;
      });
    const result = wholeOrApart(group, write);
    noted?.();
    this.#warnOfDropped(result);
    if (ends(group) && result.damaged === undefined) this.#open.last = { id: group.id, result };
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
    const { kept } = this.#open;
    const until = performance.now() + TIDY_MS;
    for (const [kind, before] of [
      ['ids', now],
      ['letters', lettersBefore],
    ] as const) {
      while (this.#run(() => kept.tidy(kind, before, TIDY_ROWS)) === TIDY_ROWS && performance.now() < until);
    }
  };

  size = (): StoreSize => {
    const { path } = this.#data;
    const bytes = statSync(path).size + (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0);
    return { ...this.#open.reader.counts(), bytes };
  };

  rekey = (encryption: WrappingKeys): void => {
    const { db, owner } = this.#open;
    owner.run(() => rewrapKeys(db, { ...this.#data, encryption }));
    this.#data = { ...this.#data, encryption };
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

  #warnOfDropped({ dropped }: CommitResult): void {
    const now = performance.now();
    if (dropped === undefined || now - this.#warnedAt < WARN_MS) return;
    this.#warnedAt = now;
    const { ids, letters } = this.#open.kept.reach();
    this.#warn(
      { path: this.#data.path, ...dropped },
      `the oldest ids and dead letters are dropped before their time, since they have more than their part of maxBytes: a tenth, and a hundredth; what is left reaches back ${hours(ids)} hours for ids, and ${hours(letters)} for dead letters; raise maxBytes, or keep ids for less time (keepIdsMs)`,
    );
  }

  #hasRoom(): boolean {
    const { maxBytes } = this.#data;
    if (maxBytes === undefined) return true;
    const { pages, free, pageBytes } = this.#open;
    const used = (numberOf(pages) - numberOf(free)) * pageBytes;
    return used < LITTLE_ROOM * maxBytes;
  }
}

/**
 * Without an `fsync` for each commit a loss of power may leave holes in the log, and what comes after them was never
 * promised to outlive it.
 */
function checkLog({ path, fsync }: StoreThreadData, warn: (fields: object, message: string) => void): void {
  const damage = lastingLogDamage(path);
  if (damage === undefined) return;
  const what = sayLogDamage(path, damage);
  if (damage.isCertain && fsync === 'disk') throw corrupt(what);
  warn({ path, frame: damage.frame }, what);
}

interface Connection {
  readonly db: DatabaseSync;
  readonly owner: Owner;
  readonly writer: GroupWriter;
  readonly reader: StoreReader;
  readonly kept: KeptTables;
  readonly pages: StatementSync;
  readonly free: StatementSync;
  readonly pageBytes: number;
  /** The last group that ended an instance. */
  last: MetaValues['last'];
}

function connect(data: StoreThreadData, epoch: number | undefined): Connection {
  const db = openFile(data);
  let owner: Owner | undefined;
  try {
    owner = new Owner(db, data.path, data.now, epoch, data.thread);
    const { meta } = owner;
    const seals = owner.run(() => openKeys(db, meta, data));
    const kept = owner.run(() => new KeptTables(db, meta, data.maxBytes));
    return {
      db,
      owner,
      kept,
      writer: new GroupWriter(db, seals, kept, data.mostRows),
      reader: new StoreReader(db, seals),
      pages: db.prepare('pragma page_count'),
      free: db.prepare('pragma freelist_count'),
      last: meta.get('last'),
      pageBytes: numberOf(db.prepare('pragma page_size')),
    };
  } catch (error) {
    // What was not opened did not end either.
    if (epoch === undefined) owner?.leave();
    db.close();
    throw error;
  }
}

/**
 * Writes a group, each turn on its own if something of it meets a page that is damaged: that is to stop whoever needs the
 * page, and nobody else. After SQLite has met one, nothing more can be written in that transaction.
 */
function wholeOrApart(group: CommitGroup, write: (part: CommitGroup) => CommitResult): CommitResult {
  try {
    return write(group);
  } catch (error) {
    if (!isDamage(error)) throw error;
  }
  const { id, at, turns, ...rest } = group;
  const damaged: string[] = [];
  const parts: CommitResult[] = [];
  // Who begins comes first, so that the others may send to them.
  for (const turn of turns.toSorted(
    (a, b) => Number(a.after !== undefined) - Number(b.after !== undefined),
  )) {
    try {
      parts.push(write({ id, at, turns: [turn] }));
    } catch (error) {
      if (!isDamage(error)) throw error;
      damaged.push(turn.address);
    }
  }
  parts.push(write({ id, at, turns: [], ...rest }));
  const refused = parts.flatMap((part) => part.refused ?? []);
  const full = parts.flatMap((part) => part.full ?? []);
  const crowded = new Set(parts.flatMap((part) => part.crowded ?? []));
  return {
    fenced: parts.flatMap(({ fenced }) => fenced),
    unknown: parts.flatMap(({ unknown }) => unknown),
    ...(full.length > 0 && { full }),
    ...(crowded.size > 0 && { crowded: [...crowded] }),
    damaged,
    ...droppedIn(parts),
    ...(refused.length > 0 && {
      refused: {
        addresses: refused.flatMap(({ addresses }) => addresses),
        rows: refused.flatMap(({ rows }) => rows),
      },
    }),
  };
}

function hours(ms: number): string {
  return (ms / HOUR_MS).toFixed(1);
}

function droppedIn(parts: readonly CommitResult[]): Pick<CommitResult, 'dropped'> {
  const all = parts.flatMap(({ dropped }) => dropped ?? []);
  if (all.length === 0) return {};
  const [ids, letters] = [all.map((one) => one.ids), all.map((one) => one.letters)];
  const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);
  return { dropped: { ids: sum(ids), letters: sum(letters) } };
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
  if (what === 'silence') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  throw new HoldfastError('STORE_FAILED', `a test has this fail ${at} its transaction`);
}
