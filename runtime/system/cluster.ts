import type { AgentRef } from '../instance/agent-ref.ts';
import type { DurableStore } from '../store/durable-store.ts';
import type { FoundInstance } from './found-instance.ts';
import type { NodeShare } from './node-share.ts';
import type { RuntimeSystem } from './runtime-system.ts';
import type { SpawnRequest } from './spawn-request.ts';

/** What another node is told of a spawn. */
export type RemoteSpawn = Pick<SpawnRequest, 'input' | 'snapshot'>;

/** The key of what makes a runtime a node. */
export const JOIN: unique symbol = Symbol('holdfast.cluster');

/** The nodes of a cluster, and which of them a runtime is: what `cluster()` of `holdfast/cluster` returns. */
export interface Cluster {
  /** Where each node listens, `host:port`, in the same order on all of them. Only of nodes that are listed. */
  readonly nodes?: readonly string[];
  /** The place of this node in the list, from 0. */
  readonly index?: number;
  /** Where this node listens. Only of nodes that come and go. */
  readonly listen?: string;
}

/** {@link Cluster} as the runtime uses it. */
export interface JoiningCluster extends Cluster {
  /**
   * Makes a node that is not open yet.
   *
   * @throws {HoldfastError} `OPTION_INVALID` for a store that one process has alone
   */
  readonly [JOIN]: (store: DurableStore) => JoinedNode;
}

export function isCluster(value: object): value is JoiningCluster {
  return typeof (value as Partial<JoiningCluster>)[JOIN] === 'function';
}

/** What other nodes reach of this one. */
export interface LocalNode {
  readonly system: Pick<
    RuntimeSystem,
    | 'get'
    | 'outlives'
    | 'reach'
    | 'nudged'
    | 'open'
    | 'messages'
    | 'isPlaced'
    | 'keepRow'
    | 'unsent'
    | 'warn'
    | 'lost'
    | 'storeId'
    | 'scrubber'
    | 'deadLetters'
    | 'secretIn'
    | 'find'
    | 'keep'
    | 'keepStream'
    | 'figures'
    | 'threadIdOf'
    | 'logger'
    | 'readStoreUrl'
  >;
  /** As the methods of a runtime, with their options as they came. */
  readonly spawn: (agent: string, id: string, options: unknown) => Promise<AgentRef>;
  readonly getOrSpawn: (agent: string, id: string, options: unknown) => Promise<AgentRef>;
}

/** One node of a cluster, as its runtime uses it. */
export interface JoinedNode {
  readonly share: NodeShare;
  /** Joins the others, opens the store, takes what is this node's, and lets other nodes in. Once; {@link close} follows a failure. */
  open(local: LocalNode, openStore: () => Promise<void>): Promise<void>;
  /** Whether an address is another node's, as far as is known. */
  isAway(address: string): boolean;
  /** The instance at an address that {@link isAway}, whether it exists or not. */
  ref(address: string): AgentRef;
  /** Starts an instance on the node that has its address. */
  spawn(kind: 'spawn' | 'getOrSpawn', address: string, request: RemoteSpawn): Promise<AgentRef>;
  /** Asks the node that has the address for what it knows of it. */
  find(address: string): Promise<FoundInstance | undefined>;
  /** Says nothing more to other nodes. */
  close(): Promise<void>;
}
