import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { checkCall, name, oneOf, type Rule } from '../../base/call-check.ts';
import { HoldfastError } from '../../base/errors.ts';
import type {
  CommitGroup,
  CommitResult,
  DueList,
  DuePlace,
  DurableStore,
  KeptId,
  KeptLetter,
  KeptStep,
  LetterPlace,
  MailboxRow,
  OnStoreFailure,
  OpenedStore,
  StoreContext,
  StoredRecord,
  StoreSize,
} from '../durable-store.ts';
import type { FaultyCommits } from '../faulty-commits.ts';
import type { StoreKeyRefs, StoreKeys } from '../store-keys.ts';
import { storeUseRules } from '../store-options.ts';
import { packGroup } from './packed-group.ts';
import type { CommitFault, StoreMethod, StoreThreadData } from './store-call.ts';
import { anEncryption, keyRefsOf, type StoreEncryption, wrappingKeys } from './store-encryption.ts';
import { StoreLine } from './store-line.ts';

export interface SqliteStoreOptions {
  /**
   * The file. It is created, readable for its user alone, where there is none; its folder as well. Beside it lie
   * `<path>-wal` and `<path>-shm`, which belong to it.
   */
  readonly path: string;
  /**
   * When a commit counts as written. `disk`: the disk has it, and it outlives a loss of power. `os`: the operating system
   * has it, and it outlives the process; several times as many commits a second. Default: `disk`.
   */
  readonly fsync?: 'disk' | 'os' | undefined;
  /**
   * The most bytes that the file may have. From 90 % on no instance begins and no event of the host is taken, so that what
   * is there can be worked off; at 100 % every commit fails. Default: no limit but the disk's.
   */
  readonly maxBytes?: number | undefined;
  /**
   * Encrypts states, events, answers, steps and letters by AES-256-GCM; addresses, ids and times are not. By secrets, which
   * the runtime fetches from its providers, or by keys of your own. Default: nothing is encrypted.
   */
  readonly encryption?: StoreEncryption | undefined;
  /**
   * Milliseconds for which what became of an event with an id is kept, of which a repeated call gets the answer; a whole number of
   * at least 1000. Default: 24 h.
   */
  readonly keepIdsMs?: number | undefined;
  /** The most instances that wake in a second because they have something to do; from 1 to 1,000,000. Default: 1000. */
  readonly wakesPerSecond?: number | undefined;
  /**
   * What is done when commits have failed for 30 s, or three times in a minute, or another process has the store. `wait`: they
   * are tried again. `exit`: the runtime stops, and the process ends with exit code 1. Or a function that gets the error.
   * Default: `wait`.
   */
  readonly onFailure?: OnStoreFailure | undefined;
}

/** For tests of what uses a store. */
export interface SqliteStoreInternals {
  /** `false`: a second opening hears nothing until it has overtaken the first. */
  readonly lock?: boolean | undefined;
  readonly silentMs?: number | undefined;
}

const bytes: Rule = {
  what: 'a whole number of bytes, of at least 1 MiB',
  is: (value) => Number.isSafeInteger(value) && (value as number) >= 1024 ** 2,
};
const rules = {
  path: name,
  fsync: oneOf(['disk', 'os']),
  maxBytes: bytes,
  encryption: anEncryption,
  ...storeUseRules,
};

/**
 * Creates a store in a SQLite file, for one process at a time. SQLite runs in a thread of its own, which starts when the
 * store is opened.
 *
 * @throws {HoldfastError} `OPTION_INVALID`
 */
export function sqliteStore(options: SqliteStoreOptions): DurableStore {
  return openableStore(options);
}

/** As {@link sqliteStore}, with what tests need. */
export function openableStore(
  options: SqliteStoreOptions,
  internals: SqliteStoreInternals = {},
): DurableStore & FaultyCommits {
  const given = checkCall<SqliteStoreOptions>('sqliteStore()', {}, options, rules, ['path']);
  return new SqliteStore(given, internals);
}

/** Milliseconds that a thread has to go when it is ended: one within a call of SQLite goes afterwards. */
const ENDING_MS = 2000;

class SqliteStore implements DurableStore, FaultyCommits {
  readonly transactional = true;
  readonly durable = true;
  /** Enough for the thread to find the next one when it has written the last. */
  readonly groupsAtOnce = 8;
  readonly textsAhead = true;
  readonly keyRefs: StoreKeyRefs | undefined;
  readonly keepIdsMs: number | undefined;
  readonly wakesPerSecond: number | undefined;
  readonly onFailure: OnStoreFailure | undefined;
  #data: Omit<StoreThreadData, 'now' | 'mostRows' | 'epoch' | 'thread'>;
  readonly #silentMs: number | undefined;
  #context: StoreContext | undefined;
  /** Undefined while the store is not open, and while there is no thread. */
  #line: StoreLine | undefined;
  #reopening: Promise<StoreLine> | undefined;
  /** Of the opening that goes on in the next thread, if this one ends. */
  #epoch: number | undefined;
  /** How many threads that opening has had before the next one. */
  #threads = 0;
  #fault: CommitFault | undefined;

  constructor(options: SqliteStoreOptions, internals: SqliteStoreInternals) {
    const lockFolder = internals.lock === false ? undefined : tmpdir();
    const { path, fsync = 'disk', maxBytes, encryption } = options;
    this.keyRefs = keyRefsOf(encryption);
    this.keepIdsMs = options.keepIdsMs;
    this.wakesPerSecond = options.wakesPerSecond;
    this.onFailure = options.onFailure;
    this.#data = {
      path: resolve(path),
      fsync,
      maxBytes,
      lockFolder,
      encryption: encryption && this.keyRefs === undefined ? wrappingKeys(encryption) : undefined,
    };
    this.#silentMs = internals.silentMs;
  }

  async open(context: StoreContext): Promise<OpenedStore> {
    if (this.#context !== undefined)
      throw new HoldfastError('STORE_FAILED', `the store ${this.#data.path} is open already; close it first`);
    if (this.keyRefs !== undefined)
      this.#data = { ...this.#data, encryption: wrappingKeys(context.keys ?? this.keyRefs) };
    this.#context = context;
    try {
      const [line, opened] = await this.#start(context, undefined);
      this.#line = line;
      return opened;
    } catch (error) {
      this.#context = undefined;
      throw error;
    }
  }

  commit(group: CommitGroup): Promise<CommitResult> {
    const fault = this.#fault;
    this.#fault = undefined;
    return this.#call('commit', packGroup(group), fault);
  }

  load(address: string): Promise<StoredRecord | undefined> {
    return this.#call('load', address);
  }

  rows(address: string, after: number, limit: number): Promise<readonly MailboxRow[]> {
    return this.#call('rows', address, after, limit);
  }

  steps(address: string): Promise<readonly KeptStep[]> {
    return this.#call('steps', address);
  }

  id(address: string, caller: string, id: string): Promise<KeptId | undefined> {
    return this.#call('id', address, caller, id);
  }

  due(now: number, limit: number, after?: DuePlace): Promise<DueList> {
    return this.#call('due', now, limit, after && { since: after.since, address: after.address });
  }

  records(after: string | undefined, limit: number): Promise<readonly StoredRecord[]> {
    return this.#call('records', after, limit);
  }

  letters(after: LetterPlace | undefined, limit: number): Promise<readonly KeptLetter[]> {
    return this.#call('letters', after && { at: after.at, id: after.id }, limit);
  }

  resume(): Promise<void> {
    return this.#call('resume');
  }

  tidy(now: number, lettersBefore: number): Promise<void> {
    return this.#call('tidy', now, lettersBefore);
  }

  size(): Promise<StoreSize> {
    return this.#call('size');
  }

  rekey(keys: StoreKeys): Promise<void> {
    const next = wrappingKeys(keys);
    const { key, previous = [] } = this.#data.encryption ?? {};
    // Whether the thread has wrapped anything with it is not known before it says so: the next thread has them all.
    const encryption = { key: next.key, previous: [...next.previous, ...(key ? [key] : []), ...previous] };
    this.#data = { ...this.#data, encryption };
    return this.#call<void>('rekey', encryption).then(() => {
      this.#data = { ...this.#data, encryption: next };
    });
  }

  async close(): Promise<void> {
    if (this.#context === undefined) return;
    const closed = this.#call('close');
    this.#context = undefined;
    const line = this.#line ?? (await this.#reopening?.catch(() => undefined));
    try {
      await closed;
    } finally {
      this.#line = undefined;
      await line?.end(ENDING_MS);
    }
  }

  failNextCommit(fault: CommitFault): void {
    this.#fault = fault;
  }

  async kill(): Promise<void> {
    const line = this.#line;
    this.#context = undefined;
    this.#line = undefined;
    await line?.end(ENDING_MS);
  }

  #call<T>(method: StoreMethod, ...given: readonly unknown[]): Promise<T> {
    const context = this.#context;
    if (context === undefined)
      return Promise.reject(
        new HoldfastError('STORE_FAILED', `the store ${this.#data.path} is not open: open it first`),
      );
    if (this.#line !== undefined) return this.#line.call(method, given);
    this.#reopening ??= this.#reopen(context);
    return this.#reopening.then((line) => line.call(method, given));
  }

  /** Goes on in another thread, if nobody has opened the store meanwhile. */
  async #reopen(context: StoreContext): Promise<StoreLine> {
    try {
      const [line] = await this.#start(context, this.#epoch);
      context.warn({ path: this.#data.path }, 'the store goes on in a new thread');
      this.#line = line;
      return line;
    } finally {
      this.#reopening = undefined;
    }
  }

  async #start(context: StoreContext, epoch: number | undefined): Promise<[StoreLine, OpenedStore]> {
    const { path } = this.#data;
    const thread = epoch === undefined ? 0 : this.#threads + 1;
    this.#threads = thread;
    const line: StoreLine = new StoreLine(
      { ...this.#data, now: context.now(), mostRows: context.mostRows, epoch, thread },
      {
        path,
        warn: context.warn,
        lost: () => {
          if (this.#line === line) this.#line = undefined;
        },
        silentMs: this.#silentMs,
      },
    );
    try {
      const opened = await line.opened();
      this.#epoch = opened.epoch;
      return [line, opened];
    } catch (error) {
      await line.end(ENDING_MS);
      throw error;
    }
  }
}
