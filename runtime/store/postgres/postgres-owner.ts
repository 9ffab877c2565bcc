import { hostname } from 'node:os';
import { HoldfastError } from '../../base/errors.ts';
import type { OpenedStore } from '../durable-store.ts';
import { commitFunction } from './commit-function.ts';
import type { Query } from './postgres-line.ts';
import { quoted, SCHEMA_VERSION, tables } from './schema.ts';

/** The number of unclean ends that a store remembers. */
const UNCLEAN_ENDS = 10;
/** Of the lock under which a schema is made or changed: "hold". Any schema of a database waits for any other. */
const LOCK = 0x68_6f_6c_64;

export interface Opening {
  readonly opened: OpenedStore;
  /** The number of the last group that was written. */
  readonly number: number;
}

/**
 * Becomes the owner of the store, in one transaction under a lock: makes the schema where there is none, and brings an older
 * one to this form. Whoever owned it writes nothing from here on.
 */
export async function takeStore(query: Query, schema: string, where: string, now: number): Promise<Opening> {
  const at = quoted(schema);
  // Whoever has waited for the lock is to see what was made under it.
  await query('begin isolation level read committed', []);
  try {
    await query('select pg_advisory_xact_lock($1)', [LOCK]);
    await makeSchema(query, schema, where);
    const [found] = await query(
      `select store_id, epoch, opened_at, unclean_ends, restored, next_row, number from ${at}.owner for update`,
      [],
    );
    const [storeId, epoch, openedAt, before, restored, firstRow, number] = found as [
      string,
      number,
      number | null,
      number[],
      boolean,
      number,
      number,
    ];
    const uncleanEnds = [...before, ...(openedAt === null ? [] : [openedAt])].slice(-UNCLEAN_ENDS);
    await query(`update ${at}.owner set epoch = $1, opened_at = $2, unclean_ends = $3, holder = $4`, [
      epoch + 1,
      now,
      JSON.stringify(uncleanEnds),
      `pid ${process.pid} on ${hostname()}`,
    ]);
    await query('commit', []);
    return { opened: { storeId, epoch: epoch + 1, firstRow, uncleanEnds, restored }, number };
  } catch (error) {
    await query('rollback', []).catch(() => {});
    throw error;
  }
}

async function makeSchema(query: Query, schema: string, where: string): Promise<void> {
  const at = quoted(schema);
  const [[isThere] = []] = await query('select to_regclass($1) is not null', [`${at}.form`]);
  if (isThere !== true) {
    await query(`create schema if not exists ${at}`, []);
    await query(`create table ${at}.form(version integer not null)`, []);
    await query(tables(schema), []);
    await query(`insert into ${at}.form values($1)`, [SCHEMA_VERSION]);
    await query(
      `insert into ${at}.owner(store_id, epoch, unclean_ends, restored, next_row, number, waiting)
       values($1, 0, '[]', false, 1, 0, 0)`,
      [crypto.randomUUID()],
    );
  }
  const [[version] = []] = (await query(`select version from ${at}.form`, [])) as [number][];
  if (version === undefined || version > SCHEMA_VERSION)
    throw new HoldfastError(
      'STORE_TOO_NEW',
      `the store ${where} has the form ${version}, and this Holdfast reads ${SCHEMA_VERSION}: start the later version that wrote it, or restore a backup from before it`,
    );
  const { name, definition } = commitFunction(schema);
  const [[isKnown] = []] = await query(
    'select exists(select from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = $1 and p.proname = $2)',
    [schema, name],
  );
  if (isKnown !== true) await query(definition, []);
}
