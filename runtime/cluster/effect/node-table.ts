import { HoldfastError } from '../../base/errors.ts';
import { MOST_NODES } from '../../store/partitioned-store.ts';
import type { PostgresLine, Query } from '../../store/postgres/postgres-line.ts';
import { underLock } from '../../store/postgres/postgres-owner.ts';
import { quoted } from '../../store/postgres/schema.ts';
import type { ClusterNode } from '../placement.ts';
import type { NodesView } from './alive-nodes.ts';

/** Milliseconds after which the number of a node that says nothing may be given to another, if no number is free. */
const FORGOTTEN_MS = 60_000;

/** What the database knows of nodes. */
export interface NodeTableView extends NodesView {
  readonly list: readonly ClusterNode[];
  /** For each partition that was ever taken the number of the node that took it last. */
  readonly owners: ReadonlyMap<number, number>;
}

export interface NodeTableOptions {
  readonly line: PostgresLine;
  /** The schema of the store. */
  readonly schema: string;
  readonly at: Pick<ClusterNode, 'host' | 'port'>;
}

/** The nodes of a store, as they say themselves, in the database of the store. */
export class NodeTable {
  readonly #line: PostgresLine;
  readonly #schema: string;
  readonly #at: NodeTableOptions['at'];
  /** This process, of those that had the number. */
  readonly #run = crypto.randomUUID();

  constructor({ line, schema, at }: NodeTableOptions) {
    this.#line = line;
    this.#schema = schema;
    this.#at = at;
  }

  /**
   * Makes the tables where there are none, and gives this node a number: the one that its place had before, or the lowest that is
   * free, or that of the node that was silent longest.
   *
   * @throws {HoldfastError} `OPTION_INVALID` when there are as many nodes as there may be
   */
  join(): Promise<number> {
    return this.#line.call((query) =>
      underLock(query, async () => {
        await this.#makeTables(query);
        const node = await this.#number(query);
        const { host, port } = this.#at;
        await query(
          `insert into ${this.#name('cluster_nodes')}(node, host, port, run, seen) values($1, $2, $3, $4, clock_timestamp())
           on conflict (node) do update set host = $2, port = $3, run = $4, seen = clock_timestamp()`,
          [node, host, port, this.#run],
        );
        return node;
      }),
    );
  }

  /**
   * Says that this node is there, and which others it has reached how many milliseconds ago.
   *
   * @returns whether its number is still its own
   */
  async say(node: number, reached: ReadonlyMap<number, number>): Promise<boolean> {
    const [[mine] = []] = await this.#line.call((query) =>
      query(
        `with mine as (update ${this.#name('cluster_nodes')} set seen = clock_timestamp() where node = $1 and run = $2 returning 1),
           seen as (insert into ${this.#name('cluster_reach')}(node, other, seen)
             select $1, other, clock_timestamp() - age * interval '1 ms' from unnest($3::smallint[], $4::float8[]) as r(other, age)
             where exists(select from mine) on conflict (node, other) do update set seen = excluded.seen)
         select count(*) from mine`,
        [node, this.#run, [...reached.keys()], [...reached.values()]],
      ),
    );
    return mine === 1;
  }

  async look(): Promise<NodeTableView> {
    const age = 'extract(epoch from clock_timestamp() - seen)::float8 * 1000';
    const listOf = (columns: string, table: string): string =>
      `coalesce((select json_agg(json_build_array(${columns})) from ${this.#name(table)}), '[]')`;
    const [[found] = []] = await this.#line.call((query) =>
      query(
        `select json_build_array(${listOf(`node, host, port, ${age}`, 'cluster_nodes')},
           ${listOf(`node, other, ${age}`, 'cluster_reach')}, ${listOf('part, node', 'partitions')})`,
        [],
      ),
    );
    const [nodes, reached, owners] = found as [
      [number, string, number, number][],
      [number, number, number][],
      [number, number][],
    ];
    return {
      list: nodes.map(([node, host, port]) => ({ node, host, port })).toSorted((a, b) => a.node - b.node),
      nodes: new Map(nodes.map(([node, , , ageMs]) => [node, ageMs])),
      reached,
      owners: new Map(owners),
    };
  }

  /** Gives the number back. */
  async leave(node: number): Promise<void> {
    await this.#line.call((query) =>
      query(
        `with gone as (delete from ${this.#name('cluster_nodes')} where node = $1 and run = $2 returning 1)
         delete from ${this.#name('cluster_reach')} where node = $1 and exists(select from gone)`,
        [node, this.#run],
      ),
    );
  }

  #name(table: string): string {
    return `${quoted(this.#schema)}.${table}`;
  }

  async #makeTables(query: Query): Promise<void> {
    const [[isThere] = []] = await query('select to_regclass($1) is not null', [this.#name('cluster_nodes')]);
    if (isThere === true) return;
    await query(`create schema if not exists ${quoted(this.#schema)}`, []);
    await query(
      `create table ${this.#name('cluster_nodes')}(
         node smallint primary key, host text not null, port integer not null, run text not null, seen timestamptz not null)
         with (fillfactor = 10)`,
      [],
    );
    await query(
      `create table ${this.#name('cluster_reach')}(
         node smallint not null, other smallint not null, seen timestamptz not null, primary key (node, other))
         with (fillfactor = 10)`,
      [],
    );
  }

  async #number(query: Query): Promise<number> {
    const found = await query(
      `select node, host = $1 and port = $2, extract(epoch from clock_timestamp() - seen)::float8 * 1000
       from ${this.#name('cluster_nodes')} order by seen`,
      [this.#at.host, this.#at.port],
    );
    const known = found as [number, boolean, number][];
    const before = known.find(([, isHere]) => isHere);
    if (before !== undefined) return before[0];
    const used = new Set(known.map(([node]) => node));
    for (let node = 0; node < MOST_NODES; node++) if (!used.has(node)) return node;
    const [oldest] = known;
    if (oldest !== undefined && oldest[2] > FORGOTTEN_MS) return oldest[0];
    throw new HoldfastError(
      'OPTION_INVALID',
      `this store has ${MOST_NODES} nodes, and no more are possible: stop one of them first`,
    );
  }
}
