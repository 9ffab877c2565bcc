import type { MessagePort } from 'node:worker_threads';
import type { Subscription } from 'xstate';
import type { Admission, Severance } from '../wire/protocol.ts';
import type { WatchListener } from './watchers.ts';

/** An instance as the broker needs it. */
export interface PeerInstance {
  readonly address: string;
  readonly agent: { readonly name: string; readonly capacity: number; readonly maxBytes: number };
  readonly sharedMemory: boolean;
  readonly incarnation: number;
  /** The instance has ended, is about to end, or is quarantined: it accepts nothing. */
  readonly over: boolean;
  /** Counts envelopes that were handled and came over a link that has ended. */
  handledFromPeers(count: number): void;
  readonly watchers: { watch(listener: WatchListener): Subscription };
  /** Resolves with the seat as soon as the instance runs; rejects when it has ended. */
  seated(): Promise<PeerSeat>;
  /** Whether the instance runs on that seat. */
  sits(seat: PeerSeat): boolean;
  /** Whether the instance has that seat, or is about to leave it. */
  holds(seat: PeerSeat): boolean;
}

/** A thread as the broker needs it. */
export interface PeerThread {
  readonly pool: string;
  /** Takes a port to another thread. */
  join(peer: number, port: MessagePort): void;
  admit(admission: Admission): Promise<boolean>;
  dismiss(link: number, wait: boolean): Promise<void>;
  sever(severance: Severance): void;
  /** Reserves a slot of the thread's progress block for a link to a seat; `base` is its count at that moment. */
  takeSlot(linked: PeerSeat): { readonly slot: number; readonly base: number };
  freeSlot(slot: number): void;
  /** Returns the count of a slot. */
  counted(slot: number): number;
  readonly gone: boolean;
}

/** The seat of an instance as the broker needs it. */
export interface PeerSeat {
  readonly host: PeerThread;
  readonly slot: number;
  readonly instance: PeerInstance;
  /** The links that lead to this seat, by their numbers; absent until there is one. */
  links: Map<number, PeerLink> | undefined;
}

/** The envelopes from one instance to another, over all incarnations of the receiver, as the sender's thread announced them. */
export interface Sending {
  readonly address: string;
  /** The count of envelopes that the sender's thread has accepted for the receiver and not discarded. */
  readonly taken: Int32Array;
  /** How many of them were handled over links that have ended. */
  handled: number;
  link: PeerLink | undefined;
}

/** The link from one instance to one incarnation of another. */
export interface PeerLink {
  readonly id: number;
  readonly from: PeerThread;
  readonly to: PeerThread;
  readonly seat: PeerSeat;
  readonly sending: Sending;
  /** The slot in which the receiver's thread counts what it has handled. */
  readonly slot: number;
  readonly base: number;
  /** How many envelopes that were handled over it the last told state of the instance contains. */
  kept: number;
}
