import { checkCall, type Rule } from '../../base/call-check.ts';
import { HoldfastError } from '../../base/errors.ts';
import { partitionOf } from '../../base/partition.ts';
import type {
  CommitGroup,
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
import { crowdedFrom } from '../most-rows.ts';
import type { StoreKeyObject } from '../store-keys.ts';
import type {
  NodeCommitResult,
  NodeContext,
  NodeDatabase,
  OpenedNode,
  PartitionedStore,
} from '../partitioned-store.ts';
import { MOST_NODES } from '../partitioned-store.ts';
import { storeUseRules } from '../store-options.ts';
import { type CommitAnswer, commitFunction } from './commit-function.ts';
import { parameterValues, type PreparedGroup, prepareGroup } from './group-parameters.ts';
import { type PostgresAccess, postgresAccess, type PostgresTls } from './postgres-access.ts';
import { PostgresLine, type Query } from './postgres-line.ts';
import { takePartitions, takeStore } from './postgres-owner.ts';
import { noSeals, PostgresReader } from './postgres-reader.ts';
import { quoted } from './schema.ts';

export interface PostgresStoreOptions {
  /**
   * The database: `postgresql://user:password@host:5432/database`, or `postgresql:///database?host=/run/postgresql` by a
   * socket. A connection to another machine is encrypted, and its server has to show a certificate for its name, unless the url
   * says `sslmode=disable`. It is shown in no message.
   *
   * Or the secret that has such a url: the runtime fetches it for each connection, so that a rotation needs nothing else.
   */
  readonly url: string | StoreKeyObject;
  /** The schema that has the tables. It is created where there is none. One for each runtime. Default: `holdfast`. */
  readonly schema?: string | undefined;
  /**
   * What an encrypted connection goes by: the certificates of who may sign for the server, in PEM, and what this side shows of
   * itself; or a function that returns that, which is called for each connection. Default: the authorities that Node knows,
   * and nothing.
   */
  readonly tls?: PostgresTls | (() => PostgresTls | Promise<PostgresTls>) | undefined;
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
export interface PostgresStoreInternals {
  readonly answerMs?: number | undefined;
  readonly patienceMs?: number | undefined;
}

const PEMS = new Set(['ca', 'cert', 'key']);
const tlsRule: Rule = {
  what: 'an object with PEM texts (ca, cert, key), or a function that returns one',
  is: (value) =>
    typeof value === 'function' ||
    (typeof value === 'object' &&
      value !== null &&
      Object.entries(value).every(
        ([key, pem]) => PEMS.has(key) && (pem === undefined || typeof pem === 'string'),
      )),
};
const urlRule: Rule = {
  what: 'a string of at least one character, or an object with the `id` of a secret',
  is: (value) =>
    typeof value === 'string'
      ? value !== ''
      : typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string',
};
const rules = {
  url: urlRule,
  schema: {
    what: 'a name of 1 to 63 bytes, of letters, digits and _',
    is: (value: unknown) => typeof value === 'string' && /^[a-z_][a-z0-9_]{0,62}$/i.test(value),
  },
  tls: tlsRule,
  ...storeUseRules,
};

/** Ids and letters that one step of a tidying takes, and the milliseconds after which it leaves the rest to the next call. */
const TIDY_ROWS = 5000;
const TIDY_MS = 1000;

/**
 * Creates a store in a PostgreSQL database, 14 or later, for one process at a time, or for the nodes of a `cluster()`: who opens it
 * last has it, and whoever had it before writes nothing any more. The package `pg` has to be installed; it is loaded when the store is opened.
 *
 * Each group is written by one statement that leaves nothing in the session, so a pooler may stand between.
 *
 * @throws {HoldfastError} `OPTION_INVALID`
 */
export function postgresStore(options: PostgresStoreOptions): DurableStore {
  return openablePostgresStore(options);
}

/** As {@link postgresStore}, with what tests need. */
export function openablePostgresStore(
  options: PostgresStoreOptions,
  internals: PostgresStoreInternals = {},
): PostgresStore {
  const given = checkCall<PostgresStoreOptions>('postgresStore()', {}, options, rules, ['url']);
  return new PostgresStore(given, internals);
}

/** What is known of an opening. */
interface Open {
  readonly line: PostgresLine;
  readonly epoch: number;
  readonly context: StoreContext;
  /** The number of the node, and the partitions that it holds with their epochs; undefined: the owner is alone. */
  readonly node: number | undefined;
  readonly held: Map<number, number>;
  /** The number of the last group that was written, and the highest that any was given. */
  written: number;
  number: number;
}

export class PostgresStore implements PartitionedStore {
  readonly transactional = true;
  readonly durable = true;
  readonly keepIdsMs: number | undefined;
  readonly wakesPerSecond: number | undefined;
  readonly onFailure: OnStoreFailure | undefined;
  readonly urlRef: StoreKeyObject | undefined;
  readonly database: NodeDatabase;
  readonly #access: PostgresAccess;
  readonly #schema: string;
  readonly #where: string;
  readonly #statement: string;
  readonly #reader: PostgresReader;
  readonly #internals: PostgresStoreInternals;
  #opening = false;
  #open: Open | undefined;

  constructor(
    { url, schema = 'holdfast', tls, ...use }: PostgresStoreOptions,
    internals: PostgresStoreInternals,
  ) {
    this.#access = postgresAccess({ url, schema, tls });
    this.urlRef = this.#access.urlRef;
    this.database = { access: this.#access, schema };
    this.#schema = schema;
    this.#where = this.#access.where;
    this.#statement = commitFunction(schema).statement;
    this.#reader = new PostgresReader(schema, () => noSeals);
    this.#internals = internals;
    this.keepIdsMs = use.keepIdsMs;
    this.wakesPerSecond = use.wakesPerSecond;
    this.onFailure = use.onFailure;
  }

  open(context: StoreContext): Promise<OpenedStore> {
    return this.#openAs(context, undefined);
  }

  async openNode(context: NodeContext): Promise<OpenedNode> {
    return { ...(await this.#openAs(context, context.node)), rowStep: MOST_NODES };
  }

  async take(partitions: readonly number[]): Promise<void> {
    const { line, epoch, held, node = 0 } = this.#opened();
    const taken = await line.call((query) =>
      takePartitions(query, this.#schema, { node, epoch }, partitions),
    );
    if (taken === undefined) throw this.#locked(undefined);
    for (const [part, of] of taken) held.set(part, of);
  }

  lost(partitions: readonly number[]): void {
    for (const part of partitions) this.#open?.held.delete(part);
  }

  epochOf(address: string): number | undefined {
    return this.#open?.held.get(partitionOf(address));
  }

  async #openAs(context: StoreContext, node: number | undefined): Promise<OpenedStore> {
    if (this.#open !== undefined || this.#opening)
      throw new HoldfastError('STORE_FAILED', `the store ${this.#where} is open already; close it first`);
    this.#opening = true;
    const line = new PostgresLine({
      config: (isRefused) => this.#access.config(context.url, isRefused),
      mayRenew: this.urlRef !== undefined,
      where: this.#where,
      warn: context.warn,
      ...this.#internals,
    });
    try {
      const { opened, number } = await line.call((query) =>
        takeStore(query, { schema: this.#schema, where: this.#where, now: context.now(), node }),
      );
      this.#open = { line, epoch: opened.epoch, context, node, held: new Map(), written: number, number };
      return opened;
    } catch (error) {
      await line.close();
      throw error;
    } finally {
      this.#opening = false;
    }
  }

  async commit(group: CommitGroup): Promise<NodeCommitResult> {
    const open = this.#opened();
    const prepared = prepareGroup(group, noSeals);
    const answer = await open.line.call((query) => this.#write(query, open, prepared));
    const { fenced, unknown, full, crowded, taken = [] } = answer;
    return {
      fenced: fenced.map((i) => prepared.addresses.get(i) as string),
      unknown,
      ...(full.length > 0 && { full }),
      ...(crowded.length > 0 && { crowded }),
      ...(taken.length > 0 && { taken }),
    };
  }

  async #write(query: Query, open: Open, { parameters }: PreparedGroup): Promise<CommitAnswer> {
    const { mostRows } = open.context;
    const number = ++open.number;
    const values = parameterValues({
      ...parameters,
      node: open.node ?? 0,
      epoch: open.epoch,
      number,
      follows: open.written,
      most_rows: mostRows ?? null,
      crowded_from: mostRows === undefined ? Infinity : crowdedFrom(mostRows),
    });
    const [[answer] = []] = (await query(this.#statement, values)) as [CommitAnswer][];
    if (answer === undefined)
      throw new HoldfastError('STORE_FAILED', `the store ${this.#where} gave no answer`);
    if (answer.owner !== undefined) throw this.#locked(answer.owner);
    if (answer.last !== undefined)
      throw new HoldfastError(
        'STORE_LOCKED',
        `the store ${this.#where} is not what this process has written (its last group is ${answer.last}, and ${open.written} was written): it was restored from a ` +
          'backup, or a standby that lacked the last commits has become the primary. This process writes nothing to it any more; start it anew',
      );
    open.written = answer.number;
    return answer;
  }

  load(address: string): Promise<StoredRecord | undefined> {
    return this.#call((query) => this.#reader.load(query, address));
  }

  rows(address: string, after: number, limit: number): Promise<readonly MailboxRow[]> {
    return this.#call((query) => this.#reader.rows(query, address, after, limit));
  }

  steps(address: string): Promise<readonly KeptStep[]> {
    return this.#call((query) => this.#reader.steps(query, address));
  }

  id(address: string, caller: string, id: string): Promise<KeptId | undefined> {
    return this.#call((query) => this.#reader.id(query, address, caller, id));
  }

  due(now: number, limit: number, after?: DuePlace): Promise<DueList> {
    return this.#call((query, { node, held }) =>
      this.#reader.due(query, now, limit, after, node === undefined ? undefined : [...held.keys()]),
    );
  }

  records(after: string | undefined, limit: number): Promise<readonly StoredRecord[]> {
    return this.#call((query) => this.#reader.records(query, after, limit));
  }

  letters(after: LetterPlace | undefined, limit: number): Promise<readonly KeptLetter[]> {
    return this.#call((query) => this.#reader.letters(query, after, limit));
  }

  size(): Promise<StoreSize> {
    return this.#call((query) => this.#reader.size(query));
  }

  /** Also finds that another has become the owner. */
  async look(): Promise<void> {
    await this.#owned(`select 1 from ${quoted(this.#schema)}.owner where epoch = $1`, []);
  }

  resume(): Promise<void> {
    return this.#owned(
      `update ${quoted(this.#schema)}.owner set restored = false
       where exists(select from ${quoted(this.#schema)}.owner where epoch = $1) returning 1`,
      [],
    );
  }

  async tidy(now: number, lettersBefore: number): Promise<void> {
    const at = quoted(this.#schema);
    const until = performance.now() + TIDY_MS;
    for (const [from, before] of [
      [
        `${at}.ids where (address, caller, id) in (select address, caller, id from ${at}.ids where until <= $2 limit $3)`,
        now,
      ],
      [`${at}.letters where id in (select id from ${at}.letters where at < $2 limit $3)`, lettersBefore],
    ] as const) {
      const sql = `with mine as (select 1 from ${at}.owner where epoch = $1 for share),
        gone as (delete from ${from} and exists(select from mine) returning 1)
        select (select count(*) from gone) from mine`;
      while ((await this.#owned(sql, [before, TIDY_ROWS])) === TIDY_ROWS && performance.now() < until);
    }
  }

  async close(): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    const sql = `update ${quoted(this.#schema)}.owner set opened_at = null where epoch = $1`;
    try {
      await open.line.call((query) => query(sql, [open.epoch]));
    } finally {
      await open.line.close();
    }
  }

  /** Ends it at once, as the end of the process would. For tests. */
  async kill(): Promise<void> {
    this.#open?.line.kill();
    this.#open = undefined;
  }

  /** Runs a statement that gives a row to the owner of the store alone. */
  #owned<T>(sql: string, values: readonly unknown[]): Promise<T> {
    return this.#call(async (query, { epoch }) => {
      const [found] = await query(sql, [epoch, ...values]);
      if (found !== undefined) return found[0] as T;
      const [[holder] = []] = await query(`select holder from ${quoted(this.#schema)}.owner`, []);
      throw this.#locked(holder);
    });
  }

  async #call<T>(work: (query: Query, open: Open) => Promise<T>): Promise<T> {
    const open = this.#opened();
    return open.line.call((query) => work(query, open));
  }

  #opened(): Open {
    if (this.#open !== undefined) return this.#open;
    throw new HoldfastError('STORE_FAILED', `the store ${this.#where} is not open: open it first`);
  }

  #locked(holder: unknown): HoldfastError {
    const named = typeof holder === 'string' && holder !== '' ? ` (${holder})` : '';
    return new HoldfastError(
      'STORE_LOCKED',
      `another process${named} has opened the store ${this.#where}, and this one writes nothing to it any more: end one of the two`,
    );
  }
}
