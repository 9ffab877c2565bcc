import { hostname } from 'node:os';
import { HoldfastError } from '../../base/errors.ts';
import type { OpenedStore } from '../durable-store.ts';
import { MOST_NODES } from '../partitioned-store.ts';
import { commitFunction } from './commit-function.ts';
import type { Query } from './postgres-line.ts';
import { migration, quoted, SCHEMA_VERSION, tables } from './schema.ts';

/** The number of unclean ends that a store remembers. */
const UNCLEAN_ENDS = 10;
/** Of the lock under which a schema is made or changed: "hold". Any schema of a database waits for any other. */
const LOCK = 0x68_6f_6c_64;

export interface Opening {
  readonly opened: OpenedStore;
  /** The number of the last group that was written. */
  readonly number: number;
}

/** A row of the table of owners. */
interface Owner {
  readonly node: number;
  readonly whole: boolean;
  readonly storeId: string;
  readonly epoch: number;
  readonly openedAt: number | null;
  readonly uncleanEnds: readonly number[];
  readonly restored: boolean;
  readonly nextRow: number;
  readonly number: number;
  readonly waiting: number;
}

/** What an opening is for, and when. */
export interface Taking {
  readonly schema: string;
  readonly where: string;
  readonly now: number;
  /** The number of the node, one of several; undefined: the owner is alone. */
  readonly node?: number | undefined;
}

/**
 * Becomes the owner of the store, in one transaction under a lock: makes the schema where there is none, and brings an older
 * one to this form. Whoever owned it writes nothing from here on; for a node that is who was alone, and the same node.
 */
export async function takeStore(query: Query, { schema, where, now, node }: Taking): Promise<Opening> {
  const at = quoted(schema);
  return underLock(query, async () => {
    await makeSchema(query, schema, where);
    const owners = await lockOwners(query, at);
    const [{ storeId, restored }] = owners as [Owner];
    const mine = owners.find((one) => one.node === (node ?? 0));
    const epoch = 1 + Math.max(...owners.map((one) => one.epoch));
    const nextRow = Math.max(...owners.map((one) => one.nextRow));
    const firstRow = node === undefined ? nextRow : firstOf(node, nextRow);
    const left = node === undefined ? owners : owners.filter((one) => one === mine || one.whole);
    const opened = left.flatMap(({ openedAt }) => openedAt ?? []);
    const uncleanEnds = [...(mine?.uncleanEnds ?? []), ...opened.toSorted((a, b) => a - b)].slice(
      -UNCLEAN_ENDS,
    );
    if (node === undefined) {
      await query(`delete from ${at}.owner where node <> 0`, []);
      await query(`update ${at}.partitions set epoch = epoch + 1`, []);
    } else
      await query(`update ${at}.owner set whole = false, epoch = $1, opened_at = null where whole`, [epoch]);
    const waiting =
      node === undefined ? owners.reduce((sum, one) => sum + one.waiting, 0) : (mine?.waiting ?? 0);
    const number = mine?.number ?? 0;
    await query(
      `insert into ${at}.owner(node, whole, store_id, epoch, opened_at, unclean_ends, holder, restored, next_row, number, waiting)
       values($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
       on conflict (node) do update set whole = $2, epoch = $4, opened_at = $5, unclean_ends = $6, holder = $7, next_row = $9,
         waiting = $11`,
      [
        node ?? 0,
        node === undefined,
        storeId,
        epoch,
        now,
        JSON.stringify(uncleanEnds),
        `pid ${process.pid} on ${hostname()}`,
        restored,
        firstRow,
        number,
        waiting,
      ],
    );
    return { opened: { storeId, epoch, firstRow, uncleanEnds, restored }, number };
  });
}

/** Takes partitions for a node, and returns their epochs; undefined when another has opened the store as this node, or alone. */
export async function takePartitions(
  query: Query,
  schema: string,
  { node, epoch }: { readonly node: number; readonly epoch: number },
  parts: readonly number[],
): Promise<ReadonlyMap<number, number> | undefined> {
  const at = quoted(schema);
  return underLock(query, async () => {
    // Whatever an owner has begun to write is written first, and what it begins from here on sees the new epochs.
    const owners = await lockOwners(query, at);
    if (owners.find((one) => one.node === node)?.epoch !== epoch) return undefined;
    const taken = await query(
      `insert into ${at}.partitions as p(part, epoch, node) select part, 1, $1 from unnest($2::smallint[]) as part
       on conflict (part) do update set epoch = p.epoch + 1, node = $1 returning part, epoch`,
      [node, parts],
    );
    return new Map(taken as [number, number][]);
  });
}

/** Runs one transaction after the other, of all that open a store of this database. */
export async function underLock<T>(query: Query, work: () => Promise<T>): Promise<T> {
  // Whoever has waited for the lock is to see what was made under it.
  await query('begin isolation level read committed', []);
  try {
    await query('select pg_advisory_xact_lock($1)', [LOCK]);
    const result = await work();
    await query('commit', []);
    return result;
  } catch (error) {
    await query('rollback', []).catch(() => {});
    throw error;
  }
}

async function lockOwners(query: Query, at: string): Promise<Owner[]> {
  const found = await query(
    `select node, whole, store_id, epoch, opened_at, unclean_ends, restored, next_row, number, waiting from ${at}.owner
     order by node for update`,
    [],
  );
  return (
    found as [number, boolean, string, number, number | null, number[], boolean, number, number, number][]
  ).map(([node, whole, storeId, epoch, openedAt, uncleanEnds, restored, nextRow, number, waiting]) => ({
    node,
    whole,
    storeId,
    epoch,
    openedAt,
    uncleanEnds,
    restored,
    nextRow,
    number,
    waiting,
  }));
}

/** The first number of a row of that node, behind all that were given. */
function firstOf(node: number, nextRow: number): number {
  return Math.ceil(Math.max(0, nextRow - node) / MOST_NODES) * MOST_NODES + node;
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
  if (version === SCHEMA_VERSION - 1) await query(migration(schema), []);
  const { name, definition } = commitFunction(schema);
  const [[isKnown] = []] = await query(
    'select exists(select from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = $1 and p.proname = $2)',
    [schema, name],
  );
  if (isKnown !== true) await query(definition, []);
}
