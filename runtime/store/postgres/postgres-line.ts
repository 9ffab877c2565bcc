import type Pg from 'pg';
import type { Client, ClientConfig, CustomTypesConfig } from 'pg';
import { systemClock, within } from '../../base/clock.ts';
import { HoldfastError } from '../../base/errors.ts';
import { isLost, isRefused, isUndone, readOnly, storeError } from './postgres-error.ts';

/** Runs one statement, and gives the rows as lists of columns. */
export type Query = (sql: string, values: readonly unknown[]) => Promise<(readonly unknown[])[]>;

export interface LineOptions {
  /** What one connection is made with; `isRefused`: the server has refused what it gave before. */
  readonly config: (isRefused: boolean) => Promise<ClientConfig>;
  /** Whether it may give something else once it was refused: the url of a secret that was rotated. */
  readonly mayRenew?: boolean | undefined;
  /** The store as it is named to people. */
  readonly where: string;
  readonly warn: (fields: object, message: string) => void;
  /** Milliseconds for an answer. Default: {@link ANSWER_MS}. */
  readonly answerMs?: number | undefined;
  /** Milliseconds for which a connection that is lost is looked for anew before a call fails. Default: {@link PATIENCE_MS}. */
  readonly patienceMs?: number | undefined;
}

/** Longer than a server that is merely slow takes: a failover of its storage, a checkpoint. */
const ANSWER_MS = 30_000;
/** As long as a server takes to start anew; whoever waits for a commit has not given up by then. */
const PATIENCE_MS = 5000;
const CONNECT_MS = 5000;
/** Milliseconds before the second look for a server; it doubles up to the longest. */
const RETRY_MS = 50;
const LONGEST_RETRY_MS = 1000;
/** Milliseconds that a connection has to say that it goes. */
const GOODBYE_MS = 1000;

/** The oldest version that is tried: 14. */
const LEAST_VERSION = 140_000;

const CHECK = `select pg_is_in_recovery() or current_setting('transaction_read_only')::boolean,
  current_setting('server_version_num')::integer, pg_encoding_to_char(encoding), current_setting('extra_float_digits')::integer
  from pg_database where datname = current_database()`;

/**
 * One connection to a server. Calls take turns, in the order in which they came, so that each sees what the one before has
 * written. When the connection is lost, the call that was under way runs again on another one, before any other: it has to
 * be one that may.
 */
export class PostgresLine {
  readonly #options: LineOptions;
  #client: Client | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #calls = 0;
  #isClosed = false;

  constructor(options: LineOptions) {
    this.#options = options;
  }

  /** Runs `work` when those before it are done; several times if that has to be. */
  call<T>(work: (query: Query) => Promise<T>): Promise<T> {
    const done = this.#last.then(() => this.#run(work));
    this.#last = done.catch(() => {});
    return done;
  }

  /** Lets the calls that came before end, and says goodbye. */
  async close(): Promise<void> {
    await this.#last;
    this.#isClosed = true;
    const client = this.#client;
    this.#client = undefined;
    if (client === undefined) return;
    hold(client, true);
    await within(systemClock, GOODBYE_MS, client.end(), late).catch(() => destroy(client));
  }

  /** Ends it at once, as the end of the process would. */
  kill(): void {
    this.#isClosed = true;
    this.#lose(this.#client);
  }

  async #run<T>(work: (query: Query) => Promise<T>): Promise<T> {
    const { where, warn, patienceMs = PATIENCE_MS } = this.#options;
    const until = performance.now() + patienceMs;
    this.#calls++;
    hold(this.#client, true);
    try {
      for (let pause = RETRY_MS; ; pause = Math.min(2 * pause, LONGEST_RETRY_MS)) {
        try {
          const client = (this.#client ??= await this.#connect());
          return await work((sql, values) => this.#query(client, sql, values));
        } catch (error) {
          const isGone = isLost(error);
          if (isGone) this.#lose(this.#client);
          if (this.#isClosed || !(isGone || isUndone(error)) || performance.now() + pause > until)
            throw storeError(error, where);
          if (isGone && pause === RETRY_MS)
            warn({ error }, `the connection to the store ${where} was lost; it is looked for anew`);
        }
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    } finally {
      // A process with nothing else to do ends between calls, and not within one.
      if (--this.#calls === 0) hold(this.#client, false);
    }
  }

  async #query(client: Client, text: string, values: readonly unknown[]): Promise<(readonly unknown[])[]> {
    const { answerMs = ANSWER_MS, where } = this.#options;
    const asked = client.query<unknown[]>({
      text,
      values: values as unknown[],
      rowMode: 'array',
    });
    try {
      return (await within(systemClock, answerMs, asked, late)).rows;
    } catch (error) {
      if (error !== LATE) throw error;
      this.#lose(client);
      const message = `the store ${where} has not answered for ${answerMs / 1000} s: nobody knows whether this took effect, and the same call may come again. See what the server does, and what else uses it`;
      throw new HoldfastError('STORE_FAILED', message);
    }
  }

  async #connect(): Promise<Client> {
    const { config, mayRenew = false } = this.#options;
    try {
      return await this.#connectWith(await config(false));
    } catch (error) {
      if (!mayRenew || !isRefused(error)) throw error;
      return this.#connectWith(await config(true));
    }
  }

  async #connectWith(config: ClientConfig): Promise<Client> {
    const { where } = this.#options;
    const pg = await loadPg();
    const types = numbersAsSuch(pg);
    const client = new pg.Client({ ...config, types, keepAlive: true, connectionTimeoutMillis: CONNECT_MS });
    // Without a listener the end of a connection is the end of the process.
    client.on('error', () => this.#lose(client));
    try {
      await client.connect();
      const [found] = await this.#query(client, CHECK, []);
      const [isReadOnly, version, encoding, digits] = found as [boolean, number, string, number];
      const problems: string[] = [];
      if (version < LEAST_VERSION) problems.push('its PostgreSQL is older than 14; have it upgraded');
      if (encoding !== 'UTF8')
        problems.push(`its database has the encoding ${encoding}; create one with UTF8`);
      if (digits < 1) problems.push('extra_float_digits is below 1 for this user; leave it at its default');
      if (problems.length > 0)
        throw new HoldfastError('STORE_FAILED', `the store ${where}: ${problems.join('; ')}`);
      if (isReadOnly) throw readOnly(where);
    } catch (error) {
      destroy(client);
      throw error;
    }
    if (this.#isClosed) {
      destroy(client);
      throw new HoldfastError('STORE_FAILED', `the store ${where} is closed`);
    }
    return client;
  }

  #lose(client: Client | undefined): void {
    if (client === undefined) return;
    if (this.#client === client) this.#client = undefined;
    destroy(client);
  }
}

/** Of `bigint`, in the tables of the server. */
const BIGINT = 20;

/** Whole numbers as numbers: none of the columns has larger ones. */
function numbersAsSuch({ types }: typeof Pg): CustomTypesConfig {
  return {
    getTypeParser: (type, format) =>
      (type as number) === BIGINT ? (Number as never) : (types.getTypeParser(type, format) as never),
  };
}

/** The driver is loaded when a store is opened, and not before: it is an optional peer. */
async function loadPg(): Promise<typeof Pg> {
  try {
    return (await import('pg')).default;
  } catch (error) {
    const message =
      (error as { code?: unknown } | undefined)?.code === 'ERR_MODULE_NOT_FOUND'
        ? 'postgresStore() needs a package that is not there: npm install pg'
        : 'postgresStore() cannot load pg; see the cause, and leave the condition "import" (node -C import) out, which does that';
    throw new HoldfastError('OPTION_INVALID', message, { cause: error });
  }
}

const LATE = new Error('late');
const late = (): Error => LATE;

/** Whether the process goes on for it. The types of `pg` lack these calls. */
function hold(client: Client | undefined, isHeld: boolean): void {
  const held = client as unknown as { ref(): void; unref(): void } | undefined;
  if (isHeld) held?.ref();
  else held?.unref();
}

/** `pg` has no call that ends a connection that does not answer. */
function destroy(client: Client): void {
  const { connection } = client as unknown as { connection: { stream: { destroy(): void } } };
  connection.stream.destroy();
}
