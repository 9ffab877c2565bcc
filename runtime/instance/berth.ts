import type { Tag } from '../mailbox/tag.ts';
import type { Attachment, Outbox } from '../mailbox/outbox.ts';
import type { PeerSeat, PeerThread } from './peer.ts';

/** A question that an instance puts to its thread. */
export type Question = 'snapshot' | 'persist' | 'can' | 'putOff';

/** The seat of an instance on a thread, as the instance needs it. */
export interface Berth extends PeerSeat {
  /** `undefined` until the instance runs. */
  readonly attachment: Attachment | undefined;
  /** Asks that the instance has handled and will answer later. */
  readonly deferred: Set<Tag>;
}

/** A thread, as the instances on it need it. */
export interface BerthThread extends PeerThread {
  /** Its number in the pool. */
  readonly n: number;
  /** Node's id of the worker thread; -1 when it is gone. */
  readonly thread: number;
  readonly outbox: Pick<Outbox, 'ready'>;
  ask(seat: Berth, question: Question, ...args: readonly unknown[]): Promise<unknown>;
  /** Opens or closes the mirror of an instance. */
  watch(seat: Berth, watched: boolean): void;
  /** Stops the instance in its thread; afterwards nothing more is heard of it. */
  deactivate(seat: Berth): Promise<void>;
  /** An instance that has not started there is not to start any more. */
  giveUp(seat: Berth): void;
}
