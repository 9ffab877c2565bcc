import { optionInvalid } from '../base/call-check.ts';
import { PARTITIONS } from '../base/partition.ts';
import { MOST_NODES } from '../store/partitioned-store.ts';
import { nodeAddress } from '../base/node-address.ts';
import type { ClusterNode, Placement, PlacementListener } from './placement.ts';

export interface StaticPlacementOptions {
  /** Where each node listens, `host:port`, `[address]:port` for IPv6: the same list, in the same order, on all of them. */
  readonly nodes: readonly string[];
  /** The place of this node in the list, from 0. */
  readonly index: number;
}

/**
 * A placement that nobody decides: partition `p` of `n` nodes is the one of node `p % n`. There is no membership and no health; a
 * node that ends leaves its partitions to its next process.
 *
 * @throws {HoldfastError} `OPTION_INVALID`
 */
export function staticPlacement({ nodes, index }: StaticPlacementOptions): Placement {
  const problems = nodesProblems(nodes, index);
  if (problems.size > 0) throw optionInvalid('staticPlacement()', problems);
  const at = nodes.map((text, node) => Object.assign({ node }, nodeAddress(text)) as ClusterNode);
  return new StaticPlacement(at, index);
}

/** What is wrong with a list of nodes and with the place of one in it, by what it is; `index` undefined: the list alone. */
export function nodesProblems(nodes: readonly string[], index?: number): ReadonlyMap<string, string> {
  const problems = new Map<string, string>();
  if (nodes.length === 0 || nodes.length > MOST_NODES)
    problems.set('nodes', `nodes has to have 1 to ${MOST_NODES} nodes, not ${nodes.length}`);
  for (const [i, text] of nodes.entries())
    if (nodeAddress(text) === undefined)
      problems.set(`nodes[${i}]`, `nodes[${i}] has to be host:port, such as 10.0.0.5:7700`);
    else if (nodes.indexOf(text) !== i) problems.set(`nodes[${i}]`, `nodes[${i}] is there twice`);
  if (index !== undefined && (!Number.isInteger(index) || index < 0 || index >= nodes.length))
    problems.set(
      'index',
      `index has to be the place of this node in the list, from 0 to ${nodes.length - 1}`,
    );
  return problems;
}

class StaticPlacement implements Placement {
  readonly self: number;
  readonly #nodes: readonly ClusterNode[];

  constructor(nodes: readonly ClusterNode[], self: number) {
    this.#nodes = nodes;
    this.self = self;
  }

  async start(listener: PlacementListener): Promise<void> {
    const all = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    await listener.take(all.filter((partition) => this.route(partition) === this.self));
  }

  route(partition: number): number {
    return partition % this.#nodes.length;
  }

  nodes(): readonly ClusterNode[] {
    return this.#nodes;
  }

  async stop(): Promise<void> {}
}
