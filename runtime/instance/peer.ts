import type { MessagePort } from 'node:worker_threads';
import type { Subscription } from 'xstate';
import type { Admission, Severance } from '../wire/protocol.ts';
import type { WatchListener } from './watchers.ts';

/** An instance, as the broker needs it. */
export interface PeerInstance {
  readonly address: string;
  readonly agent: { readonly capacity: number; readonly maxBytes: number };
  readonly sharedMemory: boolean;
  readonly incarnation: number;
  /** It has ended, is about to, or is quarantined: it takes nothing. */
  readonly over: boolean;
  /** Envelopes that other agents sent it over links that have ended, and that were handled. */
  handledFromPeers: number;
  readonly watchers: { watch(listener: WatchListener): Subscription };
  /** Its seat, as soon as it runs; rejects when it has ended. */
  place(): Promise<PeerSeat>;
  /** Whether it runs on that seat. */
  sits(seat: PeerSeat): boolean;
}

/** A thread, as the broker needs it. */
export interface PeerThread {
  readonly pool: string;
  /** Takes a port to another thread. */
  join(peer: number, port: MessagePort): void;
  admit(admission: Admission): Promise<boolean>;
  dismiss(link: number, wait: boolean): Promise<void>;
  sever(severance: Severance): void;
  /** A slot of its progress block, and what that counts now. */
  takeSlot(): { readonly slot: number; readonly base: number };
  freeSlot(slot: number): void;
  /** What a slot counts. */
  counted(slot: number): number;
  readonly gone: boolean;
}

/** The seat of an instance, as the broker needs it. */
export interface PeerSeat {
  readonly host: PeerThread;
  readonly slot: number;
  readonly instance: PeerInstance;
  /** Those that lead here. */
  readonly links: Set<PeerLink>;
}

/** What one instance sends to another, over all incarnations of that, as its thread announced it. */
export interface Sending {
  readonly address: string;
  /** What the thread has taken for it and not discarded. */
  readonly taken: Int32Array;
  /** Of that, what was handled over links that have ended. */
  handled: number;
  link: PeerLink | undefined;
}

/** What one instance sends to one incarnation of another. */
export interface PeerLink {
  readonly id: number;
  readonly from: PeerThread;
  readonly to: PeerThread;
  readonly seat: PeerSeat;
  readonly sending: Sending;
  /** Where the other thread counts what was handled. */
  readonly slot: number;
  readonly base: number;
}
