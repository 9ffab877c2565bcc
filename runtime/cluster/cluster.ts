import { JOIN, type Cluster, type JoiningCluster } from '../system/cluster.ts';
import { assertLinkIsSafe, type LinkTls } from './link-tls.ts';
import { PlacedNode } from './cluster-node.ts';
import { staticPlacement } from './static-placement.ts';

export interface ClusterOptions {
  /**
   * Where each node listens for the others: `host:port`, or `[address]:port` for IPv6; 1 to 64 of them. The same list, in the
   * same order, on all nodes: the place in it says which addresses a node has.
   */
  readonly nodes: readonly string[];
  /** The place of this node in the list, from 0. */
  readonly index: number;
  /** What nodes show each other. Required unless all of them are on loopback. Default: nothing. */
  readonly tls?: LinkTls | undefined;
  /** Milliseconds after which a node that says nothing is not reached. Default 3000. */
  readonly silentMs?: number | undefined;
}

/** Makes a runtime one of several nodes. */
export function cluster(options: ClusterOptions): Cluster {
  const { nodes, index, tls, silentMs } = options;
  const placement = staticPlacement({ nodes, index });
  assertLinkIsSafe(placement.nodes(), tls);
  const joining: JoiningCluster = {
    nodes: [...nodes],
    index,
    [JOIN]: (store) => new PlacedNode(store, { placement, tls, silentMs }),
  };
  return joining;
}
