import { later } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Tag } from '../mailbox/tag.ts';
import { Outbox, type Ack, type OutboxOptions } from '../mailbox/outbox.ts';
import type { TimeoutClock } from '../mailbox/waiting.ts';
import { isClonable } from '../wire/errors.ts';
import { openLink, type LinkPort } from '../wire/link.ts';
import { leaving } from '../wire/leaving.ts';
import { LISTS, type Admission } from '../wire/protocol.ts';
import { AckPace } from './ack-pace.ts';
import { Acks, clonableAck, movingWith, tellAck } from './acks.ts';
import type { HostedInstance } from './hosted-instance.ts';
import { isBatch } from './peer-batch.ts';
import { createInflow, type Inflow, type Source } from './inflow.ts';
import type { Turns } from './turns.ts';

export interface PeerPortsOptions extends Pick<OutboxOptions, 'expired' | 'unclonable'> {
  readonly turns: Turns;
  readonly clock: TimeoutClock;
  readonly instanceAt: (slot: number) => HostedInstance | undefined;
  readonly delivered: (tag: Tag) => void;
  /** A delivery had no turn. */
  readonly refused: (tag: Tag, error: unknown) => void;
  /** Settles the asks that a peer's ack answers. */
  readonly answered: (peer: number, ack: Ack) => boolean;
  readonly warn: (message: string) => void;
  /** A message on the port to a peer cannot be read; the port is closed. */
  readonly unread: (peer: number) => void;
}

/** A thread that exchanges messages with this one, or this one itself. */
export interface Peer {
  readonly id: number;
  readonly source: Source;
  readonly pace: AckPace;
  readonly outbox: Outbox;
}

/** The way to a peer. */
interface Way extends Pick<OutboxOptions, 'deliver'> {
  readonly acknowledge: (ack: Ack) => void;
  readonly pull: () => void;
  /** Resolves when nothing more comes from there. */
  readonly closed: Promise<void>;
}

/** The id of this thread as a peer of its own. */
const LOCAL = 0;
/** The longest wait for the port of a thread that has died, in milliseconds. */
const CLOSE_MS = 1000;

/** The ports to other threads, and the inflows from them. */
export class PeerPorts {
  readonly #options: PeerPortsOptions;
  readonly #peers = new Map<number, Peer>();
  /** The inflows of all peers, by link. One may outlive its port, until what came over the port was handled. */
  readonly #inflows = new Map<number, Inflow>();
  readonly #closed = new WeakMap<Source, Promise<void>>();

  constructor(options: PeerPortsOptions) {
    this.#options = options;
    this.#peers.set(LOCAL, this.#local());
  }

  /** The number of links that lead here. */
  get links(): number {
    return this.#inflows.size;
  }

  /** The peer with that id, even if its thread has died. */
  get(id: number): Peer {
    const peer = this.#peers.get(id);
    if (peer !== undefined) return peer;
    const nothing = (): void => {};
    const gone = this.#peer(id, {
      deliver: nothing,
      acknowledge: nothing,
      pull: nothing,
      closed: Promise.resolve(),
    });
    gone.outbox.close();
    return gone;
  }

  /** Adds a port to another thread. */
  join(id: number, port: LinkPort): void {
    let closed: () => void = () => {};
    const peer = this.#peer(id, {
      deliver(batch, moving, _sent, urgent) {
        const handled = takeCounts(peer, turns);
        if (handled === undefined) return link.tell(moving, 'deliver', batch, urgent);
        try {
          link.tell(moving, 'deliver', batch, urgent, ...handled);
        } catch (error) {
          // The batch cannot be cloned; the ack can.
          link.tell([], 'acknowledge', ...handled);
          throw error;
        }
      },
      acknowledge(ack) {
        const batches = peer.pace.take();
        tellAck(ack, (told, moving) => link.tell(moving, 'acknowledge', told, batches));
      },
      pull: () => link.tell([], 'pull'),
      closed: new Promise((resolve) => {
        closed = resolve;
      }),
    });
    const { turns, warn, unread } = this.#options;
    const shut = (why: string): void => {
      link.close(new HoldfastError('THREAD_CRASHED', why));
      peer.outbox.close();
      turns.forget(peer.source);
      this.#peers.delete(id);
      closed();
    };
    const link = openLink(port, {
      expose: {
        deliver(batch: unknown, urgent: unknown, ack?: Ack, batches?: number) {
          if (ack !== undefined) peer.outbox.settle(ack, batches);
          if (isBatch(batch)) turns.take(batch, peer.source, urgent === true);
          else warn('the thread refused a malformed batch from another thread');
        },
        acknowledge: (ack: Ack, batches?: number) => peer.outbox.acknowledge(ack, batches),
        pull: () => peer.pace.pull(),
      },
      lists: LISTS,
      told: ['deliver', 'acknowledge', 'pull'],
      onViolation: (what) => warn(`the thread refused ${what} from another thread`),
      onLost: () => {
        shut('what the other thread sent cannot be read');
        unread(id);
      },
      onClose: () => shut('the other thread has ended'),
    });
    this.#peers.set(id, peer);
  }

  /** Lets another instance send to one of this thread; `false` when that one has ended. */
  admit({ link, peer, counted, slot, from }: Admission): boolean {
    const source = this.#peers.get(peer)?.source;
    const instance = this.#options.instanceAt(slot);
    if (source === undefined || instance === undefined || instance.ended) return false;
    const inflow = createInflow(
      { key: link, slot: counted, instance, source, from },
      instance.askerOf(source),
    );
    this.#inflows.set(link, inflow);
    instance.joined(inflow);
    return true;
  }

  /** Ends a link: nothing more is sent over it. With `wait`, resolves when what was sent before has been handled. */
  async dismiss(link: number, wait: boolean): Promise<void> {
    const inflow = this.#inflows.get(link);
    if (inflow === undefined) return;
    if (wait) await this.#handled(inflow);
    this.#inflows.delete(link);
    inflow.instance.dismissed(inflow);
  }

  /** Removes the inflows of an instance that has ended. */
  vacate(instance: HostedInstance): void {
    for (const [link, inflow] of this.#inflows) if (inflow.instance === instance) this.#inflows.delete(link);
  }

  async #handled(inflow: Inflow): Promise<void> {
    const { clock } = this.#options;
    let timer: unknown;
    const late = new Promise<void>((resolve) => {
      timer = clock.setTimeout(resolve, CLOSE_MS);
    });
    // Messages that had left the other thread arrive before its port closes.
    await Promise.race([this.#closed.get(inflow.source), late]);
    clock.clearTimeout(timer);
    if (inflow.queued === 0) return;
    await new Promise<void>((resolve) => {
      inflow.idle = resolve;
    });
  }

  /** This thread as its own peer: the same mailboxes and acks as for another thread, with a copy instead of a port. */
  #local(): Peer {
    const { turns } = this.#options;
    const local: Peer = this.#peer(LOCAL, {
      deliver(batch, moving, _sent, urgent) {
        const copy = structuredClone(batch, { transfer: moving as ArrayBuffer[] });
        queueMicrotask(() => turns.take(copy, local.source, urgent));
      },
      acknowledge: (ack) => local.outbox.acknowledge(copyOf(ack), local.pace.take()),
      pull: () => local.pace.pull(),
      closed: new Promise(() => {}),
    });
    return local;
  }

  #peer(id: number, { deliver, acknowledge, pull, closed }: Way): Peer {
    const { clock, delivered, refused, answered, expired, unclonable, warn } = this.#options;
    const acks = new Acks();
    const pace = new AckPace({
      acks,
      tell: () => acknowledge(this.#options.turns.takeAck(source)),
      later: (run, ms) => later(clock, run, ms),
    });
    const source: Source = {
      acks,
      pace,
      inflowOf: (link) => {
        const inflow = this.#inflows.get(link);
        return inflow?.source === source ? inflow : undefined;
      },
      acknowledge,
    };
    const outbox = new Outbox({
      deliver,
      pull,
      delivered,
      refused,
      answered: (ack) => answered(id, ack),
      malformed: () => warn('the thread refused a malformed acknowledgement from another thread'),
      now: () => clock.now(),
      isClonable,
      expired,
      unclonable,
    });
    this.#closed.set(source, closed);
    return { id, source, pace, outbox };
  }
}

/** What is to be acknowledged, when it is sure to cross and no ask waits for it. */
function takeCounts({ source, pace }: Peer, turns: Turns): [ack: Ack, batches: number] | undefined {
  return pace.pending && source.acks.isPlain ? [turns.takeAck(source), pace.take()] : undefined;
}

function copyOf(ack: Ack): Ack {
  // Counts are new numbers each time.
  if (ack.length === 1) return ack;
  const copy = (of: Ack): Ack => {
    const moving = movingWith(of) ?? [];
    const left = leaving(of, LISTS.acknowledge.call, 'REPLY_UNCLONABLE', moving);
    return structuredClone(left, { transfer: [...moving] as ArrayBuffer[] });
  };
  try {
    return copy(ack);
  } catch {
    return copy(clonableAck(ack));
  }
}
