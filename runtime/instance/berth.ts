import type { Tag } from '../mailbox/tag.ts';
import type { PeerSeat } from './peer.ts';

/** A question that the host asks an instance in its thread. */
export type Question = 'snapshot' | 'persist' | 'can' | 'putOff';

/** The seat of an instance on a thread as the instance needs it, from the moment the pool has given it. */
export interface Berth extends PeerSeat {
  /** The number of the thread in the pool. */
  readonly n: number;
  /** Node's id of the worker thread; -1 when the thread is gone. */
  readonly thread: number;
  /** Whether the instance has begun to run here. */
  readonly begun: boolean;
  /** The tags of the asks that the instance has put off; absent until there is one. */
  deferred: Set<Tag> | undefined;
  /** Tells the outbox that the mailbox has something to send. */
  ready(): void;
  /** Asks the instance in its thread. */
  ask(question: Question, ...args: readonly unknown[]): Promise<unknown>;
  /** Opens or closes the mirror of the instance. */
  watch(watched: boolean): void;
  /**
   * Ends the instance in its thread, which has told all there is of it, if it has nothing to do; resolves with whether it
   * has left. Rejects when the thread is gone.
   */
  rest(): Promise<boolean>;
  /** Stops the instance in its thread, which then reports nothing more of it. Rejects when the thread is gone. */
  leave(): Promise<void>;
  /**
   * Gives up the seat, without which the instance continues. `release`: the pool gets the room back; where the thread has
   * not let go of the instance, as soon as it does.
   */
  end(release: boolean): void;
}
