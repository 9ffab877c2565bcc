import type { MessagePort } from 'node:worker_threads';
import type { PeerSeat, PeerThread } from '../instance/peer.ts';
import type { Link } from '../wire/link.ts';
import type { Admission, Severance } from '../wire/protocol.ts';
import type { Seats } from './seats.ts';
import type { ThreadCalls } from './thread-calls.ts';

export interface ThreadPeerOptions {
  readonly pool: string;
  readonly link: Pick<Link, 'callWith'>;
  readonly calls: Pick<ThreadCalls, 'call'>;
  readonly seats: Pick<Seats, 'takeSlot' | 'freeSlot' | 'counted'>;
  /** Whether the host hears nothing more of the thread. */
  readonly gone: () => boolean;
}

/** A thread as a peer of other threads: what the broker asks of it. */
export class ThreadPeer implements PeerThread {
  readonly #options: ThreadPeerOptions;

  constructor(options: ThreadPeerOptions) {
    this.#options = options;
  }

  get pool(): string {
    return this.#options.pool;
  }

  get gone(): boolean {
    return this.#options.gone();
  }

  join(peer: number, port: MessagePort): void {
    this.#options.link.callWith([port], 'join', peer, port).catch(() => {});
  }

  async admit(admission: Admission): Promise<boolean> {
    return (await this.#options.calls.call('admit', admission)) === true;
  }

  async dismiss(link: number, wait: boolean): Promise<void> {
    await this.#options.calls.call('dismiss', link, wait);
  }

  sever(severance: Severance): void {
    this.#options.calls.call('severed', severance).catch(() => {});
  }

  takeSlot(linked: PeerSeat): { slot: number; base: number } {
    return this.#options.seats.takeSlot(linked);
  }

  freeSlot(slot: number): void {
    this.#options.seats.freeSlot(slot);
  }

  counted(slot: number): number {
    return this.#options.seats.counted(slot);
  }
}
