import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { DeadLetters } from './dead-letters.ts';
import type { Instance } from './instance.ts';
import type { IncarnationEnd } from './watchers.ts';
import type { Admission, NoPeerLine, PeerLine, Severance } from './wire/protocol.ts';

/** A thread, as the broker needs it. */
export interface PeerThread {
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
  readonly slot: number;
  readonly instance: Instance;
  /** Those that lead here. */
  readonly links: Set<PeerLink>;
}

/** What one instance sends to one incarnation of another. */
export interface PeerLink {
  readonly id: number;
  readonly from: PeerThread;
  readonly to: PeerThread;
  readonly seat: PeerSeat;
  readonly slot: number;
  readonly base: number;
  /** Of the sender's progress block: what the link took. */
  readonly counter: number;
  readonly counterBase: number;
}

export interface PeerBrokerOptions {
  readonly instanceAt: (address: string) => Instance | undefined;
  readonly deadLetters: DeadLetters;
}

/** Envelopes a link takes, as a share of the mailbox it leads to: four busy senders are as one host. */
const SHARE = 4;
const LEAST = 16;

/**
 * Opens the ways between agents: one port for each pair of threads, one link for each pair of instances. What crosses
 * them never comes here; what is known of it when a thread dies does.
 */
export class PeerBroker {
  readonly #options: PeerBrokerOptions;
  readonly #links = new Map<number, PeerLink>();
  readonly #ports = new Map<PeerThread, Map<PeerThread, number>>();
  #last = 0;

  constructor(options: PeerBrokerOptions) {
    this.#options = options;
  }

  /** Opens a way to the instance at `address`, as soon as it runs. */
  async connect(
    from: PeerThread,
    sender: string | undefined,
    address: string,
  ): Promise<PeerLine | NoPeerLine> {
    for (;;) {
      const instance = this.#options.instanceAt(address);
      if (instance === undefined) return { refused: 'unknown-address' };
      const place = await instance.place().catch(() => undefined);
      if (place === undefined) return { refused: 'stopped' };
      const line = await this.#open(from, sender, place);
      if (line !== undefined) return line;
    }
  }

  async #open(
    from: PeerThread,
    sender: string | undefined,
    { host: to, seat }: { readonly host: PeerThread; readonly seat: PeerSeat },
  ): Promise<PeerLine | undefined> {
    const id = ++this.#last;
    const { slot, base } = to.takeSlot();
    const peer = this.#peerOf(from, to);
    const admitted = await to
      .admit({ link: id, peer: this.#peerOf(to, from), counted: slot, slot: seat.slot, from: sender })
      .catch(() => false);
    if (!admitted || to.gone || from.gone || !seat.instance.sits(seat)) {
      if (!to.gone) to.freeSlot(slot);
      return undefined;
    }
    const { slot: counter, base: counterBase } = from.takeSlot();
    const link: PeerLink = { id, from, to, seat, slot, base, counter, counterBase };
    this.#links.set(id, link);
    seat.links.add(link);
    const { sharedMemory } = seat.instance;
    const { capacity: whole, maxBytes } = seat.instance.agent;
    const capacity = Math.max(LEAST, Math.floor(whole / SHARE));
    return { link: id, peer, capacity, maxBytes, sharedMemory, counter };
  }

  /** What `one` calls `other`; the port between them is handed out with the first question. */
  #peerOf(one: PeerThread, other: PeerThread): number {
    if (one === other) return 0;
    const known = this.#ports.get(one)?.get(other);
    if (known !== undefined) return known;
    const { port1, port2 } = new MessageChannel();
    this.#last += 1;
    const peer = this.#last;
    for (const [a, b, port] of [
      [one, other, port1],
      [other, one, port2],
    ] as const) {
      const peers = this.#ports.get(a) ?? new Map<PeerThread, number>();
      this.#ports.set(a, peers.set(b, peer));
      a.join(peer, port);
    }
    return peer;
  }

  /** The sender has ended, and all it sent was handled. */
  disconnect(from: PeerThread, id: number): void {
    const link = this.#links.get(id);
    if (link === undefined || link.from !== from) return;
    this.#forget(link);
    link.to.dismiss(id, false).catch(() => {});
  }

  /** The incarnation at the other end is no more; `error` when its thread died, with the envelope of `inHand`. */
  vacated(seat: PeerSeat, inHand: number, error: Severance['error']): void {
    for (const link of seat.links) {
      const { id, from, slot } = link;
      const handled = this.#handled(link);
      seat.instance.handledFromPeers += handled;
      this.#forget(link);
      if (!from.gone) from.sever({ link: id, handled, inHand: inHand === slot, error });
    }
  }

  /** What the links to a seat have brought and was handled. */
  handled(seat: PeerSeat): number {
    let sum = 0;
    for (const link of seat.links) sum += this.#handled(link);
    return sum;
  }

  /** A thread is no more: what its instances had sent and no other thread had yet is lost, and counted. */
  gone(thread: PeerThread): void {
    this.#ports.delete(thread);
    for (const peers of this.#ports.values()) peers.delete(thread);
    for (const link of this.#links.values()) if (link.from === thread) void this.#lost(link);
  }

  async #lost(link: PeerLink): Promise<void> {
    const { id, from, to, seat, counter, counterBase } = link;
    const taken = (from.counted(counter) - counterBase) | 0;
    // What had left before is handled first.
    if (to !== from) await to.dismiss(id, true).catch(() => {});
    const current = this.#links.get(id) === link;
    const lost = taken - this.#handled(link);
    if (current) {
      seat.instance.handledFromPeers += this.#handled(link);
      this.#forget(link);
    }
    if (lost <= 0) return;
    const { address, incarnation } = seat.instance;
    this.#options.deadLetters.add({ address, reason: 'crashed', event: undefined, incarnation, lost });
  }

  /** Resolves when the incarnation at `address` ends that runs now; at once when none does. */
  ended(address: string): Promise<IncarnationEnd> {
    const instance = this.#options.instanceAt(address);
    if (instance === undefined) return Promise.resolve({ address, incarnation: 0, reason: 'stopped' });
    return new Promise((resolve) => {
      instance.watchers.watch(resolve);
    });
  }

  #handled({ to, slot, base }: PeerLink): number {
    return (to.counted(slot) - base) | 0;
  }

  #forget(link: PeerLink): void {
    this.#links.delete(link.id);
    link.seat.links.delete(link);
    if (!link.to.gone) link.to.freeSlot(link.slot);
    if (!link.from.gone) link.from.freeSlot(link.counter);
  }
}
