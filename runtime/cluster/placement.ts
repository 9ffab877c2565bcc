/** A node of a cluster, and where others reach it. */
export interface ClusterNode {
  /** Its number, from 0. */
  readonly node: number;
  readonly host: string;
  readonly port: number;
}

/** What an engine tells a node of its own partitions. */
export interface PlacementListener {
  /** This node has those partitions from now on; settles when it may run what is in them. */
  take(partitions: readonly number[]): Promise<void>;
  /** This node has those partitions no more: it ends what is in them, untold. */
  lost(partitions: readonly number[]): void;
  /** Asks another node whether it is there; rejects when it has not said so within a second. */
  reach(node: ClusterNode): Promise<void>;
  /** The node with that number is there no more. */
  gone(node: number): void;
}

/**
 * Says which node has which partition. All that stands between this package and an engine is `take` and `lost`, which the
 * engine calls, and `route` and `nodes`, which it answers; by `reach` it may find out which nodes are alive, and by `gone` it says which are not. Nothing rests on what it says but where events are sent first: what is
 * committed is fenced by the epochs of the store.
 */
export interface Placement {
  /** The number of this node. */
  readonly self: number;
  /** Begins to tell; settles once the partitions that are this node's at the start are taken. Once. */
  start(listener: PlacementListener): Promise<void>;
  /** The node that has the partition, as far as is known here; undefined: none has. */
  route(partition: number): number | undefined;
  /** All nodes that are known, this one among them, by their numbers. */
  nodes(): readonly ClusterNode[];
  /** Tells nothing any more. */
  stop(): Promise<void>;
}
