import type {
  CommitGroup,
  CommitResult,
  DurableStore,
  MailboxRow,
  OpenedStore,
  StoreContext,
  TurnCommit,
} from './durable-store.ts';
import type { PostgresAccess } from './postgres/postgres-access.ts';

/** The most nodes that share a store: each numbers its rows in steps of that, so that no two give the same number. */
export const MOST_NODES = 64;

export interface NodeContext extends StoreContext {
  /** The number of the node, from 0 and below {@link MOST_NODES}, among those that have the store open together. */
  readonly node: number;
}

export interface OpenedNode extends OpenedStore {
  /** How far one row's number is from the next. */
  readonly rowStep: number;
}

/** The database of a store, for what its nodes keep there beside it. */
export interface NodeDatabase {
  readonly access: PostgresAccess;
  readonly schema: string;
}

/** A turn of an instance whose partition may be taken by another node. */
export interface PlacedTurn extends TurnCommit {
  /**
   * The epoch of the partition of its address, as it was when the instance became active. The turn is fenced unless the
   * partition still has it. Undefined: the store has one owner, and no partitions.
   */
  readonly epoch?: number | undefined;
}

/** A row from the host that was a letter. */
export interface RowOfLetter extends MailboxRow {
  /** The letter, which its group removes. Where it is not there any more, nothing is written of the row: another node has taken it. */
  readonly letter?: string | undefined;
}

export interface NodeCommitResult extends CommitResult {
  /** The rows of which nothing was written, because another node had taken their letters. */
  readonly taken?: readonly number[] | undefined;
}

/**
 * A store that several nodes have open together, each for its partitions. Any node sends rows to any address; only who has
 * taken the partition of an address commits turns of its instance. What is due is listed for the partitions that are held.
 */
export interface PartitionedStore extends DurableStore {
  readonly database: NodeDatabase;
  /** Opens the store as one of several nodes. Whoever had it open by itself, or as this node, writes nothing any more. */
  openNode(context: NodeContext): Promise<OpenedNode>;
  /**
   * As that of any store. What was sent may have been handled by another node before a group comes again whose outcome nobody
   * knows: then nothing of it is written a second time.
   */
  commit(group: CommitGroup): Promise<NodeCommitResult>;
  /**
   * Takes partitions: their epochs grow, and turns of instances that were active under an earlier one are fenced, here and
   * elsewhere. Rejects as `commit` does.
   */
  take(partitions: readonly number[]): Promise<void>;
  /** The partitions are another's now: what is active in them is not committed any more once that has taken them. */
  lost(partitions: readonly number[]): void;
  /** The epoch under which the partition of an address is held; undefined: it is not held. */
  epochOf(address: string): number | undefined;
}

export function isPartitioned(store: DurableStore): store is PartitionedStore {
  return 'openNode' in store;
}
