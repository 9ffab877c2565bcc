import type { Tag } from '../mailbox/tag.ts';
import type { PeerSeat } from './peer.ts';

/** A question that an instance puts to its thread. */
export type Question = 'snapshot' | 'persist' | 'can' | 'putOff';

/** The seat of an instance on a thread, as the instance needs it: from the moment the pool has given it one. */
export interface Berth extends PeerSeat {
  /** Number of its thread in the pool. */
  readonly n: number;
  /** Node's id of the worker thread; -1 when it is gone. */
  readonly thread: number;
  /** The instance has begun to run here. */
  readonly begun: boolean;
  /** Asks that the instance has handled and will answer later. */
  readonly deferred: Set<Tag>;
  /** Something waits in the mailbox. */
  ready(): void;
  /** Puts a question to the instance in its thread. */
  ask(question: Question, ...args: readonly unknown[]): Promise<unknown>;
  /** Opens or closes the mirror of the instance. */
  watch(watched: boolean): void;
  /** Stops the instance in its thread; afterwards nothing more is heard of it. Rejects when the thread is gone. */
  leave(): Promise<void>;
  /**
   * The instance goes on without the seat. `release`: its place goes back to the pool; where the thread has not let go of
   * the instance, as soon as it does.
   */
  end(release: boolean): void;
}
