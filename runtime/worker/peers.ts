import type { DeadLetterReason } from '../dead-letters.ts';
import { HoldfastError } from '../errors.ts';
import { Mailbox, type Tag } from '../mailbox/mailbox.ts';
import { Outbox, type Ack, type Attachment } from '../mailbox/outbox.ts';
import { measure, sharesMemory } from '../mailbox/size.ts';
import { anyMarked, hasMoved } from '../mailbox/transfer.ts';
import { MAX_DEPTH, NO_TERMS, termsOf, type Terms } from '../mailbox/terms.ts';
import { Waiting, type TimeoutClock } from '../mailbox/waiting.ts';
import { refusal } from '../refusal.ts';
import { decodeError, isClonable, type WireError } from '../wire/errors.ts';
import { wholeAnswer } from '../wire/errors-within.ts';
import { openLink, type LinkPort } from '../wire/link.ts';
import type { Progress } from '../wire/progress.ts';
import type {
  Admission,
  HostMethod,
  LetterReport,
  NoPeerLine,
  PeerLine,
  Severance,
} from '../wire/protocol.ts';
import { Acks, clonableAck, movingWith } from './acks.ts';
import type { HostedInstance } from './hosted-instance.ts';
import { createPlace, type Place, type Source } from './place.ts';
import type { PeerBridge, PeerWait, Self } from './thread-state.ts';
import type { Turns } from './turns.ts';

export interface PeersOptions {
  readonly turns: Turns;
  readonly progress: Progress;
  readonly clock: TimeoutClock;
  readonly instanceAt: (slot: number) => HostedInstance | undefined;
  readonly callHost: (method: HostMethod, ...args: readonly unknown[]) => Promise<unknown>;
  readonly letter: (letter: LetterReport) => void;
  readonly warn: (message: string) => void;
  /** Whether this thread may share memory with others. */
  readonly sharedMemory: boolean;
}

/** A thread that this one sends to, or that sends to it; or this one itself. */
interface Peer {
  readonly id: number;
  readonly source: Source;
  readonly places: Map<number, Place>;
  readonly outbox: Outbox;
  /** By link, what this thread sends there. */
  readonly lines: Map<number, Line>;
  /** Resolves when nothing comes from there any more. */
  readonly closed: Promise<void>;
}

/** What one instance of this thread sends to another, wherever that one runs. */
interface Line {
  readonly from: Self | undefined;
  readonly address: string;
  readonly mailbox: Mailbox;
  readonly deferred: Set<Tag>;
  maxBytes: number;
  /** Whether both ends may share memory; not known until it is open, and then what waits is looked at again. */
  sharedMemory: boolean;
  /** The thread that it last led to. */
  peer: number;
  /** `undefined` until the host has opened it, and between two incarnations of the other. */
  open: { readonly peer: Peer; readonly at: PeerLine; readonly attachment: Attachment } | undefined;
  connecting: boolean;
}

/** What a mailbox takes before the host has said how much it is. */
const CAPACITY = 1000;
const MAX_BYTES = 1024 * 1024;
/** Milliseconds after which a sender that is gone is not waited for any more. */
const CLOSE_MS = 1000;

/**
 * The messages from agent to agent. Each pair of threads has one port, which the host hands out once; each pair of
 * instances has a mailbox of its own at the sender, kept until what is in it was handled: whoever is sent to may die
 * and come again without losing anything but what it had in hand.
 */
export class Peers implements PeerBridge {
  readonly #options: PeersOptions;
  readonly #waiting: Waiting;
  readonly #peers = new Map<number, Peer>();
  readonly #lines = new Map<string, Line>();

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#waiting = new Waiting(options.clock);
    this.#peers.set(0, this.#local());
  }

  // --- what agents want -----------------------------------------------------------------------------------

  send(from: Self | undefined, address: string, event: unknown): void {
    this.#offer(this.#lineTo(from, address), event, 0, NO_TERMS);
  }

  ask(from: Self | undefined, address: string, event: unknown, wait: PeerWait): Promise<unknown> {
    return this.#open('ask', from, address, event, wait);
  }

  deliver(from: Self | undefined, address: string, event: unknown, wait: PeerWait): Promise<unknown> {
    return this.#open('delivery', from, address, event, wait);
  }

  ended(address: string): ReturnType<PeerBridge['ended']> {
    return this.#options.callHost('ended', address) as ReturnType<PeerBridge['ended']>;
  }

  #open(
    kind: 'ask' | 'delivery',
    from: Self | undefined,
    address: string,
    event: unknown,
    { timeoutMs, signal, within }: PeerWait,
  ): Promise<unknown> {
    const depth = within === undefined ? 0 : within.depth + 1;
    if (depth > MAX_DEPTH) return Promise.reject(tooDeep(address));
    const left = within === undefined ? Infinity : within.deadline - this.#options.clock.now();
    const line = this.#lineTo(from, address);
    const options = {
      timeoutMs: Math.max(0, Math.min(timeoutMs, left)),
      signal,
      of: line,
      settled: (tag: Tag) => void line.deferred.delete(tag),
      onTimeout: (ms: number) =>
        new HoldfastError(
          'ASK_TIMEOUT',
          `${address} did not ${kind === 'ask' ? 'answer' : 'handle the event'} within ${Math.round(ms)} ms; ` +
            'give it a longer timeoutMs, or find out what keeps it busy',
        ),
    };
    return this.#waiting.open(kind, options, (tag, deadline) =>
      this.#offer(line, event, tag, termsOf(deadline, depth)),
    );
  }

  #offer(line: Line, event: unknown, tag: Tag, terms: Terms): void {
    const reason = refused(event, line);
    if (reason !== undefined) return this.#refuse(line, event, tag, reason);
    const dropped = (old: unknown, oldTag: Tag): void => this.#discard(line, old, oldTag, 'mailbox-full');
    if (!line.mailbox.offer(event, tag, terms, dropped))
      return this.#refuse(line, event, tag, 'mailbox-full');
    if (line.open !== undefined) {
      this.#options.progress.add(line.open.at.counter, 1);
      line.open.peer.outbox.ready(line.open.attachment);
    } else if (!line.connecting) {
      void this.#connect(line);
    }
  }

  /** An event that the line never took. */
  #refuse(line: Line, event: unknown, tag: Tag, reason: DeadLetterReason, cause?: unknown): void {
    this.#options.letter({ address: line.address, reason, event });
    if (tag !== 0) this.#waiting.reject(tag, refusal(line.address, reason, cause));
  }

  /** An event that the line gives up. */
  #discard(line: Line, event: unknown, tag: Tag, reason: DeadLetterReason, cause?: unknown): void {
    if (line.open !== undefined) this.#options.progress.add(line.open.at.counter, -1);
    this.#refuse(line, event, tag, reason, cause);
  }

  // --- lines ----------------------------------------------------------------------------------------------

  #lineTo(from: Self | undefined, address: string): Line {
    const key = keyOf(from, address);
    let line = this.#lines.get(key);
    if (line === undefined) {
      line = {
        from,
        address,
        mailbox: new Mailbox(CAPACITY),
        deferred: new Set(),
        maxBytes: MAX_BYTES,
        sharedMemory: this.#options.sharedMemory,
        peer: -1,
        open: undefined,
        connecting: false,
      };
      this.#lines.set(key, line);
    }
    return line;
  }

  async #connect(line: Line): Promise<void> {
    line.connecting = true;
    const { from, address, mailbox } = line;
    let at: PeerLine | NoPeerLine;
    try {
      at = (await this.#options.callHost('connect', from?.address, address)) as PeerLine | NoPeerLine;
    } catch {
      at = { refused: 'stopped' };
    }
    line.connecting = false;
    const peer = 'refused' in at ? undefined : this.#peers.get(at.peer);
    if ('refused' in at || peer === undefined) {
      this.#lines.delete(keyOf(from, address));
      const reason = 'refused' in at ? at.refused : 'stopped';
      mailbox.clear((event, tag) => this.#discard(line, event, tag, reason));
      return;
    }
    mailbox.capacity = at.capacity;
    line.maxBytes = at.maxBytes;
    if (line.sharedMemory && !at.sharedMemory) {
      line.sharedMemory = false;
      const shares = (event: unknown, tag: Tag): void => this.#discard(line, event, tag, 'unclonable');
      mailbox.discardUnless((event) => !sharesMemory(event), shares);
    }
    line.peer = at.peer;
    this.#options.progress.add(at.counter, mailbox.depth);
    peer.lines.set(at.link, line);
    line.open = { peer, at, attachment: peer.outbox.attach(mailbox, at.link) };
  }

  /** The incarnation at the other end has ended. What it has not handled is for the next one. */
  severed({ link, handled, inHand, error }: Severance): void {
    const line = this.#lineOf(link);
    const open = line?.open;
    if (line === undefined || open === undefined) return;
    const reason = error === undefined ? undefined : decodeError(error);
    open.peer.lines.delete(link);
    open.peer.outbox.detach(open.attachment, handled, error && ((tag) => this.#waiting.reject(tag, reason)));
    if (inHand) {
      line.mailbox.discardFirst((event, tag) => this.#discard(line, event, tag, 'crashed', reason));
    }
    if (anyMarked()) {
      const lost = (event: unknown, tag: Tag): void => this.#discard(line, event, tag, 'crashed', reason);
      line.mailbox.discardUnless((event) => !hasMoved(event), lost);
    }
    // Those of an instance that ended by itself hear of it from its thread.
    if (error !== undefined) for (const tag of line.deferred) this.#waiting.reject(tag, reason);
    line.open = undefined;
    if (line.mailbox.depth > 0) void this.#connect(line);
    else this.#lines.delete(keyOf(line.from, line.address));
  }

  /** An instance of this thread has ended: what it sent still goes, then its lines are closed. */
  left({ address }: Self): void {
    for (const [key, line] of this.#lines) {
      if (line.from?.address === address) void this.#close(key, line);
    }
  }

  async #close(key: string, line: Line): Promise<void> {
    await line.mailbox.passed();
    const { open } = line;
    if (open === undefined || line.mailbox.depth > 0 || this.#lines.get(key) !== line) return;
    this.#lines.delete(key);
    open.peer.lines.delete(open.at.link);
    open.peer.outbox.detach(open.attachment, open.attachment.acked);
    line.open = undefined;
    this.#options.callHost('disconnect', open.at.link).catch(() => {});
  }

  #lineOf(link: number): Line | undefined {
    // Not by its peer: the port to a thread that died may be closed before the host tells of the end.
    for (const line of this.#lines.values()) if (line.open?.at.link === link) return line;
    return undefined;
  }

  // --- what the host wants --------------------------------------------------------------------------------

  /** A port to another thread. */
  join(id: number, port: LinkPort): void {
    let closed: () => void = () => {};
    const peer = this.#peer(
      id,
      (batch, moving = []) => link.callWith(moving, 'deliver', batch),
      (ack) => {
        try {
          tell(ack);
        } catch {
          tell(clonableAck(ack));
        }
      },
      new Promise((resolve) => {
        closed = resolve;
      }),
    );
    const tell = (ack: Ack): void =>
      void link.callWith(movingWith(ack) ?? [], 'acknowledge', ack).catch(() => {});
    const link = openLink(port, {
      expose: {
        deliver: (batch: unknown[]) => this.#options.turns.deliver(batch, peer.source),
        acknowledge: (ack: Ack) => peer.outbox.acknowledge(ack),
      },
      onViolation: (what) => this.#options.warn(`the thread refused ${what} from another thread`),
      repair: (ack) => clonableAck(ack as Ack),
      transferablesOf: movingWith,
      onClose: () => {
        link.close(new HoldfastError('THREAD_CRASHED', 'the other thread has ended'));
        peer.outbox.close();
        this.#options.turns.forget(peer.source);
        this.#peers.delete(id);
        closed();
      },
    });
    this.#peers.set(id, peer);
  }

  /** Another instance wants to send to one of this thread; `false` when that one has ended. */
  admit({ link, peer: id, counted, slot, from }: Admission): boolean {
    const peer = this.#peers.get(id);
    const instance = this.#options.instanceAt(slot);
    if (peer === undefined || instance === undefined || instance.ended) return false;
    peer.places.set(link, createPlace({ key: link, slot: counted, instance, source: peer.source, from }));
    return true;
  }

  /** Nothing will be sent there any more. With `wait`, resolves when what was sent before has been handled. */
  async dismiss(link: number, wait: boolean): Promise<void> {
    for (const { places, closed } of this.#peers.values()) {
      const place = places.get(link);
      if (place === undefined) continue;
      if (wait) await this.#handled(place, closed);
      places.delete(link);
      return;
    }
  }

  async #handled(place: Place, closed: Promise<void>): Promise<void> {
    const { clock } = this.#options;
    let timer: unknown;
    const enough = new Promise<void>((resolve) => {
      timer = clock.setTimeout(resolve, CLOSE_MS);
    });
    await Promise.race([closed, enough]);
    if (place.queued > 0) {
      const idle = new Promise<void>((resolve) => {
        place.idle = resolve;
      });
      await Promise.race([idle, enough]);
    }
    clock.clearTimeout(timer);
  }

  /** The places of an instance that has ended. */
  vacate(instance: HostedInstance): void {
    for (const { places } of this.#peers.values()) {
      for (const [link, place] of places) if (place.instance === instance) places.delete(link);
    }
  }

  // --- threads --------------------------------------------------------------------------------------------

  /** This thread as a peer of its own: the same mailboxes and acks, and a copy instead of a port. */
  #local(): Peer {
    const never = new Promise<void>(() => {});
    const local: Peer = this.#peer(
      0,
      (batch, moving = []) => {
        const copy = structuredClone(batch, { transfer: moving as ArrayBuffer[] });
        return Promise.resolve().then(async () =>
          copyOf(await this.#options.turns.deliver(copy, local.source)),
        );
      },
      (ack) => local.outbox.acknowledge(copyOf(ack)),
      never,
    );
    return local;
  }

  #peer(
    id: number,
    deliver: (batch: unknown[], moving?: readonly unknown[]) => Promise<unknown>,
    acknowledge: (ack: Ack) => void,
    closed: Promise<void>,
  ): Peer {
    const places = new Map<number, Place>();
    const lines = new Map<number, Line>();
    const lineOf = ({ slot }: Attachment): Line => lines.get(slot) as Line;
    return {
      id,
      places,
      lines,
      closed,
      source: { acks: new Acks(), placeOf: (link) => places.get(link), acknowledge },
      outbox: new Outbox({
        deliver,
        delivered: (tag) => this.#waiting.resolve(tag),
        answered: (ack) => this.#answered(id, ack),
        now: () => this.#options.clock.now(),
        isClonable,
        expired: (attachment, event, tag) => this.#discard(lineOf(attachment), event, tag, 'expired'),
        unclonable: (attachment, event, tag) => this.#discard(lineOf(attachment), event, tag, 'unclonable'),
      }),
    };
  }

  /** A thread may answer only what it was asked itself. */
  #answered(peer: number, [, tags = [], values = [], failed = [], deferred = [], more = []]: Ack): void {
    const lineOf = (tag: Tag): Line | undefined => {
      const line = this.#waiting.ownerOf(tag) as Line | undefined;
      return line?.peer === peer ? line : undefined;
    };
    tags.forEach((tag, i) => {
      const line = lineOf(tag);
      if (line === undefined) return;
      const answer = wholeAnswer(tag, values[i], more);
      if (line.sharedMemory || !sharesMemory(answer)) this.#waiting.resolve(tag, answer);
      else this.#waiting.reject(tag, sharedReply(line.address));
    });
    for (let i = 0; i + 1 < failed.length; i += 2) {
      const tag = failed[i] as Tag;
      if (lineOf(tag) !== undefined) this.#waiting.reject(tag, decodeError(failed[i + 1] as WireError));
    }
    for (let i = 0; i + 1 < deferred.length; i += 2) {
      const tag = deferred[i + 1] as Tag;
      lineOf(tag)?.deferred.add(tag);
    }
  }
}

function keyOf(from: Self | undefined, address: string): string {
  return `${from === undefined ? '' : `${from.address}#${from.incarnation}`}\n${address}`;
}

function copyOf(ack: Ack): Ack {
  const copy = (of: Ack): Ack =>
    structuredClone(of, { transfer: [...(movingWith(of) ?? [])] as ArrayBuffer[] });
  try {
    return copy(ack);
  } catch {
    return copy(clonableAck(ack));
  }
}

function refused(event: unknown, { maxBytes, sharedMemory }: Line): DeadLetterReason | undefined {
  try {
    const { type } = event as { type?: unknown };
    if (typeof type !== 'string' || type === 'xstate.stop') return 'unclonable';
    if (hasMoved(event)) return 'unclonable';
    const size = measure(event, maxBytes, sharedMemory);
    return size === 'shared' ? 'unclonable' : typeof size === 'string' ? size : undefined;
  } catch {
    return 'unclonable';
  }
}

function sharedReply(address: string): HoldfastError {
  return new HoldfastError(
    'REPLY_UNCLONABLE',
    `the reply of ${address} shares memory, which threads.<threadId>.sharedMemory of both pools has to allow; reply with a copy`,
  );
}

function tooDeep(address: string): HoldfastError {
  return new HoldfastError(
    'ASK_TOO_DEEP',
    `${address} was not asked: ${MAX_DEPTH} asks already wait for each other; do two agents ask each other in a circle?`,
  );
}
