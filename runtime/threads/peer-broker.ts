import { MessageChannel } from 'node:worker_threads';
import type { Subscription } from 'xstate';
import type { DeadLetters } from '../dead-letters/dead-letters.ts';
import type { IncarnationEnd } from '../base/endings.ts';
import type { PeerInstance, PeerLink, PeerSeat, PeerThread, Sending } from '../instance/peer.ts';
import { HoldfastError } from '../base/errors.ts';
import { encodeError, type WireError } from '../wire/errors.ts';
import type { NoPeerLine, PeerLine, WireEvidence } from '../wire/protocol.ts';

/** A thread's request for a line to an instance; every field is the thread's own word, and may be anything. */
export interface PeerRequest {
  readonly sender: unknown;
  readonly address: unknown;
  readonly id: unknown;
  readonly taken: unknown;
  /** Whether to start the instance at the address if there is none. */
  readonly activate?: unknown;
}

export interface PeerBrokerOptions {
  readonly instanceAt: (address: string) => PeerInstance | undefined;
  /** Returns the pool of the agent at an address, whether or not an instance runs there. */
  readonly poolOf: (address: string) => string | undefined;
  /** Wakes the instance at an address that is in the store; `undefined` when there is nothing to wait for. Never rejects. */
  readonly rouse?: ((address: string) => Promise<void> | undefined) | undefined;
  /** The error for who sends over a link to an address that another node has; `undefined` for all others. */
  readonly away?: ((address: string) => HoldfastError | undefined) | undefined;
  /** How to watch an instance that another node has; `undefined` for all others. */
  readonly watchAway?: ((address: string) => Watchable | undefined) | undefined;
  /** Starts the instance at an address, for an agent of that pool, unless it is there. */
  readonly activate: (pool: string, address: string) => Promise<void>;
  readonly deadLetters: DeadLetters;
}

/** Who tells once of the end of an incarnation. */
type Watchable = (ended: (end: IncarnationEnd) => void) => Subscription;

/** The circumstances in which a seat became free. */
export interface Vacancy {
  /** The error with which the thread died, if it did. */
  readonly error: WireError | undefined;
  /** The slot whose envelope was in hand at that moment, or -1. */
  readonly inHand: number;
  /** The evidence against that envelope. */
  readonly evidence: WireEvidence | undefined;
  /** What was handled and is in no told state is handled again by the next incarnation. */
  readonly again: boolean;
  /** The link by which the envelope came that the instance failed with, and its error. */
  readonly failed?: { readonly link: number; readonly error: WireError } | undefined;
}

/** The fewest envelopes that a link takes: a turn in a lane. */
const LEAST = 16;

/**
 * Opens the way between agents: one port for each pair of threads, one link for each pair of instances. Events never pass
 * through the broker; it counts those that are lost when a thread dies.
 */
export class PeerBroker {
  readonly #options: PeerBrokerOptions;
  /** The sendings of live threads, by the threads' own numbers for them. */
  readonly #sendings = new Map<PeerThread, Map<number, Sending>>();
  /** All links there are. */
  readonly #links = new Set<PeerLink>();
  readonly #ports = new Map<PeerThread, Map<PeerThread, number>>();
  /** The watches of instances that threads have asked for. */
  readonly #watches = new Map<PeerThread, Set<Subscription>>();
  #last = 0;

  constructor(options: PeerBrokerOptions) {
    this.#options = options;
  }

  /** Opens a link to the instance at an address as soon as that runs. */
  async connect(from: PeerThread, request: PeerRequest): Promise<PeerLine | NoPeerLine> {
    const { instanceAt, poolOf, activate, rouse } = this.#options;
    if (!isPeerRequest(request)) return { refused: 'unknown-address' };
    const { sender, address, id, taken } = request;
    const away = instanceAt(address) === undefined ? this.#options.away?.(address) : undefined;
    if (away !== undefined) return { refused: 'unknown-address', error: encodeError(away) };
    // A thread speaks for its own pool only.
    const known = typeof sender === 'string' && poolOf(sender) === from.pool ? sender : undefined;
    const sending = this.#sendingOf(from, id, address, taken);
    // Starts at most once, so that an instance that ends as it starts is not started for ever.
    let isToStart = request.activate === true;
    while (!from.gone && sending.link === undefined) {
      if (instanceAt(address) === undefined) await rouse?.(address);
      const found = instanceAt(address);
      if (isToStart && found?.over !== false) {
        isToStart = false;
        try {
          await activate(from.pool, address);
        } catch (error) {
          return { refused: found === undefined ? 'unknown-address' : 'stopped', error: encodeError(error) };
        }
      }
      const instance = instanceAt(address);
      if (instance === undefined) return { refused: 'unknown-address' };
      const seat = await instance.seated().catch(() => undefined);
      if (seat === undefined) return { refused: 'stopped' };
      const line = await this.#openLink(from, known, sending, seat);
      if (line !== undefined) return line;
    }
    return { refused: 'stopped' };
  }

  #sendingOf(from: PeerThread, id: number, address: string, taken: SharedArrayBuffer): Sending {
    const sendings = this.#sendings.get(from) ?? new Map<number, Sending>();
    const known = sendings.get(id);
    if (known !== undefined) return known;
    const sending: Sending = { address, taken: new Int32Array(taken), handled: 0, link: undefined };
    if (!from.gone) this.#sendings.set(from, sendings.set(id, sending));
    return sending;
  }

  async #openLink(
    from: PeerThread,
    sender: string | undefined,
    sending: Sending,
    seat: PeerSeat,
  ): Promise<PeerLine | undefined> {
    if (from.gone) return undefined;
    const { host: to } = seat;
    const id = ++this.#last;
    const { slot, base } = to.takeSlot(seat);
    const peer = this.#peerOf(from, to);
    const admitted = await to
      .admit({ link: id, peer: this.#peerOf(to, from), counted: slot, slot: seat.slot, from: sender })
      .catch(() => false);
    if (!admitted || to.gone || from.gone || !seat.instance.sits(seat)) {
      if (admitted) to.dismiss(id, false).catch(() => {});
      if (!to.gone) to.freeSlot(slot);
      return undefined;
    }
    const link: PeerLink = { id, from, to, seat, sending, slot, base, kept: 0 };
    sending.link = link;
    this.#links.add(link);
    const links = (seat.links ??= new Map()).set(id, link);
    const { sharedMemory } = seat.instance;
    const { capacity: whole, maxBytes } = seat.instance.agent;
    // Credits, once given, are not taken back, so later links get fewer: 100 links have 5 mailboxes' worth together.
    const capacity = Math.max(LEAST, Math.floor(whole / links.size));
    return { link: id, peer, capacity, maxBytes, sharedMemory };
  }

  /** Returns the number by which `one` knows `other`; the first call opens the port between them. */
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

  /** Closes a line on which the thread has nothing more to send, and all it sent was handled. */
  disconnect(from: PeerThread, id: number): void {
    const sendings = this.#sendings.get(from);
    const link = sendings?.get(id)?.link;
    sendings?.delete(id);
    if (link === undefined) return;
    this.#endLink(link);
    link.to.dismiss(link.id, false).catch(() => {});
  }

  /** Severs all links to a seat, whose incarnation has ended. */
  vacated(seat: PeerSeat, { error, inHand, evidence, again, failed }: Vacancy): void {
    for (const link of linksOf(seat)) {
      const { id, from, slot, sending } = link;
      const suspect = inHand === slot ? evidence : undefined;
      const all = handledOver(link);
      const handled = this.#endLink(link, again ? Math.min(all, link.kept) : all);
      const severance = { link: id, handled, suspect, error };
      const threw = failed?.link === id ? failed.error : undefined;
      if (!from.gone) from.sever(all === handled ? severance : { ...severance, again: all - handled, threw });
      // The sending of a thread that `gone` has not handled yet is counted there.
      else if (!this.#sendings.has(from)) this.#lost(sending);
    }
  }

  /** Returns the number of envelopes handled that came over the links to a seat. */
  handled(seat: PeerSeat): number {
    let sum = 0;
    for (const link of linksOf(seat)) sum += handledOver(link);
    return sum;
  }

  /** Returns the same for all seats that instances have, by agent. */
  handledByAgent(): Map<string, number> {
    const sums = new Map<string, number>();
    for (const link of this.#links) {
      const { instance } = link.seat;
      const { name } = instance.agent;
      if (instance.holds(link.seat)) sums.set(name, (sums.get(name) ?? 0) + handledOver(link));
    }
    return sums;
  }

  /**
   * Gives up a port whose frame `reader` could not deserialize; the two threads continue over another port. Neither is
   * ended, since either could have caused it. What had come before is handled first.
   */
  async unread(reader: PeerThread, peer: number): Promise<void> {
    const [writer] = [...(this.#ports.get(reader) ?? [])].find(([, id]) => id === peer) ?? [];
    if (writer === undefined) return;
    this.#ports.get(reader)?.delete(writer);
    this.#ports.get(writer)?.delete(reader);
    const links = [...this.#between(writer, reader), ...this.#between(reader, writer)];
    await Promise.all(links.map((link) => this.#giveUp(link, link.from === writer)));
  }

  #between(from: PeerThread, to: PeerThread): PeerLink[] {
    const sendings = [...(this.#sendings.get(from)?.values() ?? [])];
    return sendings.flatMap(({ link }) => (link?.to === to ? [link] : []));
  }

  async #giveUp(link: PeerLink, unread: boolean): Promise<void> {
    const { id, from, to, sending, seat } = link;
    await to.dismiss(id, true).catch(() => {});
    // Otherwise one of the two instances has ended meanwhile, and all was told.
    if (sending.link !== link) return;
    const handled = this.#endLink(link);
    const error = encodeError(replyLost(seat.instance.address));
    if (!from.gone) from.sever({ link: id, handled, suspect: undefined, error, unread });
  }

  /** The thread is gone: counts as lost what its instances had sent and no other thread had received. */
  gone(thread: PeerThread): void {
    for (const watch of this.#watches.get(thread) ?? []) watch.unsubscribe();
    this.#watches.delete(thread);
    this.#ports.delete(thread);
    for (const peers of this.#ports.values()) peers.delete(thread);
    const sendings = this.#sendings.get(thread);
    this.#sendings.delete(thread);
    for (const sending of sendings?.values() ?? []) {
      if (sending.link === undefined) this.#lost(sending);
      else void this.#finish(sending.link);
    }
  }

  async #finish(link: PeerLink): Promise<void> {
    const { id, to, sending } = link;
    // What had left the thread before is handled first.
    await to.dismiss(id, true).catch(() => {});
    // Otherwise the receiver has ended meanwhile, and all was told.
    if (sending.link !== link) return;
    this.#endLink(link);
    this.#lost(sending);
  }

  #lost({ address, taken, handled }: Sending): void {
    const lost = (Atomics.load(taken, 0) - handled) | 0;
    if (lost <= 0) return;
    const incarnation = this.#options.instanceAt(address)?.incarnation ?? 0;
    this.#options.deadLetters.add({ address, reason: 'crashed', event: undefined, incarnation, lost });
  }

  /** Resolves when the current incarnation at `address` ends, at once without one; never when `from` is gone before. */
  async ended(from: PeerThread, address: string): Promise<IncarnationEnd> {
    const { instanceAt, rouse, watchAway } = this.#options;
    const rousing = instanceAt(address) === undefined ? rouse?.(address) : undefined;
    if (rousing !== undefined) await rousing;
    const watchers = instanceAt(address)?.watchers;
    const watchable: Watchable | undefined =
      watchers === undefined ? watchAway?.(address) : (ended) => watchers.watch(ended);
    if (watchable === undefined) return { address, incarnation: 0, reason: 'stopped' };
    const watches = this.#watches.get(from) ?? new Set();
    if (!from.gone) this.#watches.set(from, watches);
    return new Promise((resolve) => {
      const watch = watchable((end) => {
        watches.delete(watch);
        resolve(end);
      });
      watches.add(watch);
    });
  }

  /** Ends a link; returns the number of envelopes that count as handled over it. */
  #endLink(link: PeerLink, handled = handledOver(link)): number {
    const { to, seat, sending, slot } = link;
    sending.link = undefined;
    sending.handled = (sending.handled + handled) | 0;
    seat.instance.handledFromPeers(handled);
    seat.links?.delete(link.id);
    this.#links.delete(link);
    if (!to.gone) to.freeSlot(slot);
    return handled;
  }
}

/** The error for an ask that was handled, but whose answer is lost. */
function replyLost(address: string): HoldfastError {
  return new HoldfastError(
    'REPLY_UNCLONABLE',
    `the reply of ${address} is lost: one of the two threads sent what the other cannot read; keep replies and events flat`,
  );
}

function linksOf({ links }: PeerSeat): Iterable<PeerLink> {
  return links?.values() ?? [];
}

function handledOver({ to, slot, base }: PeerLink): number {
  return (to.counted(slot) - base) | 0;
}

/** Whether a request has the shape that our thread code gives it. */
export function isPeerRequest(request: PeerRequest): request is PeerRequest & {
  readonly address: string;
  readonly id: number;
  readonly taken: SharedArrayBuffer;
} {
  const { address, id, taken } = request;
  return typeof address === 'string' && Number.isSafeInteger(id) && isCounter(taken);
}

function isCounter(value: unknown): value is SharedArrayBuffer {
  return value instanceof SharedArrayBuffer && value.byteLength === Int32Array.BYTES_PER_ELEMENT;
}
