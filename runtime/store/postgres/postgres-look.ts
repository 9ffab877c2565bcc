import { HoldfastError } from '../../base/errors.ts';
import type { StoreContext, StoredRecord } from '../durable-store.ts';
import { postgresAccess } from './postgres-access.ts';
import { PostgresLine } from './postgres-line.ts';
import { noSeals, PostgresReader } from './postgres-reader.ts';
import type { PostgresStoreOptions } from './postgres-store.ts';
import { quoted, SCHEMA_VERSION } from './schema.ts';

/** What is known of a database that is to have a store, without opening that. */
export interface PostgresLook {
  /** The store as it is named to people. */
  readonly where: string;
  /** The version of the server. */
  readonly server: string;
  /** The user that it was reached as. */
  readonly user: string;
  /** The owner of the schema; absent where there is none yet. */
  readonly schemaOwner?: string | undefined;
  /** Whether the tables are there. */
  readonly isThere: boolean;
  /** Whether this user may do all that an opening does. */
  readonly mayOpen: boolean;
  /** Who has opened it and has not closed it, and when in milliseconds since the epoch. */
  readonly holder?: { readonly name: string; readonly since: number } | undefined;
}

type Options = Pick<PostgresStoreOptions, 'url' | 'schema' | 'tls'>;

const RECORDS_AT_ONCE = 100;

/**
 * Looks at a database, and changes nothing in it.
 *
 * @throws {HoldfastError} `STORE_FAILED` when it cannot be reached or used; `STORE_TOO_NEW`
 */
export async function lookAtPostgres(options: Options, url?: StoreContext['url']): Promise<PostgresLook> {
  const { line, schema, where } = lineOf(options, url);
  try {
    return await line.call(async (query) => {
      const at = quoted(schema);
      const [[server, user, schemaOwner, isThere, mayOpen] = []] = await query(
        `select current_setting('server_version'), current_user, pg_get_userbyid(n.nspowner),
           exists(select from pg_class where relnamespace = n.oid and relname = 'form'),
           case when n.oid is null then has_database_privilege(current_database(), 'create')
             else has_schema_privilege(n.oid, 'create') and has_schema_privilege(n.oid, 'usage') end
           from (values (1)) as one left join pg_namespace n on n.nspname = $1`,
        [schema],
      );
      const look = { where, server, user, isThere, mayOpen } as PostgresLook;
      const owned = { ...look, ...(schemaOwner !== null && { schemaOwner: schemaOwner as string }) };
      if (isThere !== true || mayOpen !== true) return owned;
      const [[version] = []] = (await query(`select version from ${at}.form`, [])) as [number][];
      if (version === undefined || version > SCHEMA_VERSION)
        throw new HoldfastError(
          'STORE_TOO_NEW',
          `the store ${where} has the form ${version}, and this Holdfast reads ${SCHEMA_VERSION}: start the later version that wrote it`,
        );
      const [[name, since] = []] = (await query(
        `select holder, opened_at from ${at}.owner order by opened_at nulls last limit 1`,
        [],
      )) as [string | null, number | null][];
      if (since === undefined || since === null) return owned;
      return { ...owned, holder: { name: name ?? 'a process', since } };
    });
  } finally {
    await line.close();
  }
}

/**
 * Reads all records, while whoever has the store goes on. `comes`: called before each, with how many are behind it.
 *
 * @throws {HoldfastError} `STORE_FAILED`, or `STORE_CORRUPT` for the first that is damaged
 */
export async function* postgresRecords(
  options: Options,
  url?: StoreContext['url'],
  comes?: (left: number) => void,
): AsyncGenerator<StoredRecord> {
  const { line, schema } = lineOf(options, url);
  try {
    const reader = new PostgresReader(schema, () => noSeals);
    const isThere = await line.call(async (query) => {
      const [[found] = []] = await query('select to_regclass($1) is not null', [`${quoted(schema)}.records`]);
      return found === true;
    });
    if (!isThere) return;
    let left = (await line.call((query) => reader.size(query))).records;
    for (let after: string | undefined; ;) {
      // Each page begins where the one before has ended.
      // oxlint-disable-next-line no-await-in-loop
      const records = await line.call((query) => reader.records(query, after, RECORDS_AT_ONCE));
      const isLast = records.length < RECORDS_AT_ONCE;
      for (const [at, record] of records.entries()) {
        left -= 1;
        // Others may have come since they were counted.
        comes?.(isLast ? records.length - at - 1 : Math.max(1, left));
        yield record;
      }
      if (isLast) return;
      after = records.at(-1)?.address;
    }
  } finally {
    await line.close();
  }
}

function lineOf({ url, schema = 'holdfast', tls }: Options, readUrl: StoreContext['url']) {
  const access = postgresAccess({ url, schema, tls });
  const { where } = access;
  const line = new PostgresLine({
    config: (isRefused) => access.config(readUrl, isRefused),
    mayRenew: access.urlRef !== undefined,
    where,
    warn() {},
    // Whoever looks is told at once that nothing is there.
    patienceMs: 0,
  });
  return { line, schema, where };
}
