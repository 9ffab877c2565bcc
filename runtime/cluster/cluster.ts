import { createSecureContext } from 'node:tls';
import { arrayOf, flag, isObject, optionInvalid, readCall, type Rules } from '../base/call-check.ts';
import { MOST_NODES } from '../store/partitioned-store.ts';
import { JOIN, type Cluster, type JoiningCluster } from '../system/cluster.ts';
import { type NodeOptions, PlacedNode } from './cluster-node.ts';
import { effectPlacement, LEAST_DEAD_MS, LEAST_LOCK_MS, MOST_LOCK_MS } from './effect/effect-placement.ts';
import { assertLinkIsSafe, type ClusterTls } from './link-tls.ts';
import { nodeAddress } from '../base/node-address.ts';
import type { ClusterNode } from './placement.ts';
import { nodesProblems, staticPlacement } from './static-placement.ts';

/** How nodes reach each other. */
export interface ClusterLinkOptions {
  /** What nodes show each other. Required unless all of them are on loopback. Default: nothing. */
  readonly tls?: ClusterTls | undefined;
  /**
   * Milliseconds after which a node that says nothing is not reached: what was sent to it and has no id is then unknown; of at
   * least 100. With `listen` others then have its partitions, and it is at least 2000. Default: 3000, more than a pause of a
   * garbage collector.
   */
  readonly silentMs?: number | undefined;
}

/** Nodes of which there is a list. Nobody decides anything: the addresses of a node that is down wait for its next process. */
export interface StaticClusterOptions extends ClusterLinkOptions {
  /**
   * Where each node listens for the others: `host:port`, or `[address]:port` for IPv6; 1 to 64 of them. The same list, in the
   * same order, on all nodes: the place in it says which addresses a node has. A node listens where its own entry says.
   */
  readonly nodes: readonly string[];
  /** The place of this node in the list, from 0. No two processes at a time have the same. */
  readonly index: number;
  readonly listen?: undefined;
}

/**
 * Nodes that come and go: Effect's cluster gives each its share of the addresses, by locks in the database of the store, and
 * those of a node that is gone to the others. The packages `effect` and `@effect/sql-pg` have to be installed.
 */
export interface EffectClusterOptions extends ClusterLinkOptions {
  /**
   * Where this node listens, and the others reach it: `host:port`, or `[address]:port` for IPv6. Two nodes never have the same. At most
   * 64 nodes at a time.
   */
  readonly listen: string;
  /**
   * Milliseconds for which a lock is good that cannot be kept: so long the database may be away before a node lets its addresses
   * go. From 3000 to 20,000, the same on all nodes. Default: 6000.
   */
  readonly lockMs?: number | undefined;
  /**
   * Whether the locks are rows of a table, instead of advisory locks of sessions: for a pooler in transaction mode. The same on all
   * nodes. Those of a node that was killed run out after `lockMs`, instead of with its connection. Default: false.
   */
  readonly rowLocks?: boolean | undefined;
  readonly nodes?: undefined;
  readonly index?: undefined;
}

export type ClusterOptions = StaticClusterOptions | EffectClusterOptions;

/** The shortest silence that is told from a busy moment. */
const LEAST_SILENT_MS = 100;

const PEMS = ['ca', 'cert', 'key'] as const;

/** All that may be given, together or not. */
type GivenOptions = Omit<StaticClusterOptions, 'listen'> & Omit<EffectClusterOptions, 'nodes' | 'index'>;

const rules: Rules<GivenOptions> = {
  nodes: arrayOf(`an array of 1 to ${MOST_NODES} strings, host:port`, (one) => typeof one === 'string'),
  index: { what: 'a whole number from 0', is: (value) => Number.isSafeInteger(value) && Number(value) >= 0 },
  tls: {
    what: 'an object with PEM texts: ca, cert and the key of that',
    is: (value) => isObject(value) && PEMS.every((name) => isText(value, name)) && isPair(value),
  },
  listen: {
    what: 'where other nodes reach this one, host:port, such as 10.0.0.5:7700',
    is: (value) => !['0.0.0.0', '::', undefined].includes(nodeAddress(value)?.host),
  },
  lockMs: {
    what: `a number of milliseconds, from ${LEAST_LOCK_MS} to ${MOST_LOCK_MS}`,
    is: (value) => Number(value) >= LEAST_LOCK_MS && Number(value) <= MOST_LOCK_MS && Number.isFinite(value),
  },
  rowLocks: flag,
  silentMs: {
    what: `a number of milliseconds, of at least ${LEAST_SILENT_MS}`,
    is: (value) => Number.isFinite(value) && Number(value) >= LEAST_SILENT_MS,
  },
};

/**
 * Makes the runtime that gets it, as the option `cluster` of `createRuntime`, one of several nodes over one `postgresStore()`.
 * Each durable instance runs on one node, and any node reaches it. Which one it is says a list (`nodes` and `index`), of which
 * nobody takes over from another; or Effect's cluster does (`listen`), whose nodes come and go.
 *
 * @throws {HoldfastError} `OPTION_INVALID` with all that is wrong; `CLUSTER_PLAIN` for nodes on several machines without `tls`
 * @example
 * ```ts
 * import { createRuntime } from 'holdfast';
 * import { cluster, postgresStore } from 'holdfast/cluster';
 *
 * const runtime = await createRuntime('./openclaw.json', {
 *   store: postgresStore({ url }),
 *   cluster: cluster({ listen: '10.0.0.5:7700', tls: { ca, cert, key } }),
 * });
 * ```
 */
export function cluster(options: ClusterOptions): Cluster {
  const { read, problems } = readCall<GivenOptions>({}, options, rules, ['nodes', 'index']);
  const all = together(read, problems);
  if (all.size > 0) throw optionInvalid('cluster()', all);
  const joining = read.listen === undefined ? listed(read) : comingAndGoing(read);
  return joining;
}

/** What is wrong with the options, and with their being given together. */
function together(read: GivenOptions, problems: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const all = new Map(problems);
  if (all.has('options')) return all;
  const { nodes, index, listen, silentMs } = read;
  if (listen !== undefined || all.has('listen')) {
    for (const name of ['nodes', 'index'] as const)
      if (read[name] === undefined) all.delete(name);
      else all.set(name, `${name} does not go with listen: give nodes and index, or listen`);
    if (!all.has('silentMs') && silentMs !== undefined && silentMs < LEAST_DEAD_MS)
      all.set('silentMs', `silentMs has to be at least ${LEAST_DEAD_MS} with listen`);
    return all;
  }
  if (nodes === undefined && index === undefined) all.set('listen', 'or give listen instead of both');
  for (const name of ['lockMs', 'rowLocks'] as const)
    if (read[name] !== undefined) all.set(name, `${name} goes with listen alone`);
  if (!all.has('nodes'))
    for (const [name, problem] of nodesProblems(nodes, all.has('index') ? undefined : index))
      all.set(name, problem);
  return all;
}

function listed({ nodes, index, tls, silentMs }: GivenOptions): JoiningCluster {
  const all = [...nodes];
  const placement = staticPlacement({ nodes: all, index });
  assertLinkIsSafe(
    placement.nodes().map(({ host }) => host),
    tls,
  );
  return {
    nodes: all,
    index,
    [JOIN]: (store) => new PlacedNode(store, { join: () => placement, tls, silentMs }),
  };
}

function comingAndGoing({ listen, tls, silentMs, lockMs, rowLocks }: GivenOptions): JoiningCluster {
  const at = nodeAddress(listen) as Pick<ClusterNode, 'host' | 'port'>;
  assertLinkIsSafe([at.host], tls);
  const join: NodeOptions['join'] = ({ database }, { system: { readStoreUrl: readUrl, logger } }) =>
    effectPlacement({ at, database, readUrl, logger, lockMs, silentMs, rowLocks });
  return { listen, [JOIN]: (store) => new PlacedNode(store, { join, tls, silentMs }) };
}

function isText(of: object, name: string): boolean {
  return typeof (of as Record<string, unknown>)[name] === 'string';
}

/** Throws for what OpenSSL cannot read. */
function isPair(tls: object): boolean {
  const { ca, cert, key } = tls as ClusterTls;
  return createSecureContext({ ca, cert, key }) !== undefined;
}
