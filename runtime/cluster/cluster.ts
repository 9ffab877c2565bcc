import { createSecureContext } from 'node:tls';
import { arrayOf, isObject, optionInvalid, readCall, type Rules } from '../base/call-check.ts';
import { MOST_NODES } from '../store/partitioned-store.ts';
import { JOIN, type Cluster, type JoiningCluster } from '../system/cluster.ts';
import { PlacedNode } from './cluster-node.ts';
import { assertLinkIsSafe, type ClusterTls } from './link-tls.ts';
import { nodesProblems, staticPlacement } from './static-placement.ts';

export interface ClusterOptions {
  /**
   * Where each node listens for the others: `host:port`, or `[address]:port` for IPv6; 1 to 64 of them. The same list, in the
   * same order, on all nodes: the place in it says which addresses a node has. A node listens where its own entry says.
   */
  readonly nodes: readonly string[];
  /** The place of this node in the list, from 0. No two processes at a time have the same. */
  readonly index: number;
  /** What nodes show each other. Required unless all of them are on loopback. Default: nothing. */
  readonly tls?: ClusterTls | undefined;
  /**
   * Milliseconds after which a node that says nothing is not reached: what was sent to it and has no id is then unknown; of at
   * least 100. Default: 3000, more than a pause of a garbage collector.
   */
  readonly silentMs?: number | undefined;
}

/** The shortest silence that is told from a busy moment. */
const LEAST_SILENT_MS = 100;

const PEMS = ['ca', 'cert', 'key'] as const;

const rules: Rules<ClusterOptions> = {
  nodes: arrayOf(`an array of 1 to ${MOST_NODES} strings, host:port`, (one) => typeof one === 'string'),
  index: { what: 'a whole number from 0', is: (value) => Number.isSafeInteger(value) && Number(value) >= 0 },
  tls: {
    what: 'an object with PEM texts: ca, cert and the key of that',
    is: (value) => isObject(value) && PEMS.every((name) => isText(value, name)) && isPair(value),
  },
  silentMs: {
    what: `a number of milliseconds, of at least ${LEAST_SILENT_MS}`,
    is: (value) => Number.isFinite(value) && Number(value) >= LEAST_SILENT_MS,
  },
};

/**
 * Makes the runtime that gets it, as the option `cluster` of `createRuntime`, one of several nodes over one `postgresStore()`.
 * Each durable instance runs on one node, which its address says, and any node reaches it. Nobody decides anything while they
 * run: the instances of a node that is down wait for its next process.
 *
 * @throws {HoldfastError} `OPTION_INVALID` with all that is wrong; `CLUSTER_PLAIN` for nodes on several machines without `tls`
 * @example
 * ```ts
 * import { createRuntime } from 'holdfast';
 * import { cluster, postgresStore } from 'holdfast/cluster';
 *
 * const runtime = await createRuntime('./openclaw.json', {
 *   store: postgresStore({ url }),
 *   cluster: cluster({ nodes: ['10.0.0.5:7700', '10.0.0.6:7700', '10.0.0.7:7700'], index: 0, tls: { ca, cert, key } }),
 * });
 * ```
 */
export function cluster(options: ClusterOptions): Cluster {
  const { read, problems } = readCall<ClusterOptions>({}, options, rules, ['nodes', 'index']);
  const { nodes, index, tls, silentMs } = read;
  const all = new Map(problems);
  if (!all.has('options') && !all.has('nodes'))
    for (const [name, problem] of nodesProblems(nodes, all.has('index') ? undefined : index))
      all.set(name, problem);
  if (all.size > 0) throw optionInvalid('cluster()', all);
  const listed = [...nodes];
  const placement = staticPlacement({ nodes: listed, index });
  assertLinkIsSafe(placement.nodes(), tls);
  const joining: JoiningCluster = {
    nodes: listed,
    index,
    [JOIN]: (store) => new PlacedNode(store, { placement, tls, silentMs }),
  };
  return joining;
}

function isText(of: object, name: string): boolean {
  return typeof (of as Record<string, unknown>)[name] === 'string';
}

/** Throws for what OpenSSL cannot read. */
function isPair(tls: object): boolean {
  const { ca, cert, key } = tls as ClusterTls;
  return createSecureContext({ ca, cert, key }) !== undefined;
}
