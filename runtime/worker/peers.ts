import type { DeadLetterReason } from '../base/dead-letter-reason.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Tag } from '../mailbox/tag.ts';
import { ownEvent } from '../mailbox/own-memory.ts';
import type { Ack, Attachment } from '../mailbox/outbox.ts';
import { sharesMemory } from '../mailbox/size.ts';
import { isSampled, SentTimes, type Trace } from '../mailbox/trace.ts';
import { anyMarked, hasMoved } from '../mailbox/transfer.ts';
import { NO_TERMS, termsOf, type Terms } from '../mailbox/terms.ts';
import { Waiting, type TimeoutClock } from '../mailbox/waiting.ts';
import { notStarted, refusal, tooLate, unclonableAdvice } from '../dead-letters/refusal.ts';
import { suspicion } from '../dead-letters/suspicion.ts';
import { decodeError, type WireError } from '../wire/errors.ts';
import { wholeAnswer } from '../wire/errors-within.ts';
import type { LinkPort } from '../wire/link.ts';
import type {
  Admission,
  HostMethod,
  LetterReport,
  NoPeerLine,
  PeerLine,
  Severance,
  WireEvidence,
} from '../wire/protocol.ts';
import type { HostedInstance } from './hosted-instance.ts';
import { createLine, type Line } from './peer-line.ts';
import { PeerPorts } from './peer-ports.ts';
import type { PeerEnd } from './peer-end.ts';
import { boundsOf } from './peer-wait.ts';
import { PeerWatches } from './peer-watches.ts';
import type { PeerBridge, PeerWait, Self } from './thread-state.ts';
import { currentTrace } from './trace-context.ts';
import type { Turns } from './turns.ts';
import { unfit } from './unfit.ts';

export interface PeersOptions {
  readonly turns: Turns;
  readonly clock: TimeoutClock;
  readonly instanceAt: (slot: number) => HostedInstance | undefined;
  readonly callHost: (method: HostMethod, ...args: readonly unknown[]) => Promise<unknown>;
  readonly letter: (letter: LetterReport) => void;
  /** Tells the host of the dead letters. */
  readonly flush: () => void;
  readonly warn: (message: string) => void;
  /** Whether this thread may share memory with others. */
  readonly sharedMemory: boolean;
  /** Whether an inspector shows how long what is sent waits. */
  readonly isInspected: () => boolean;
}

/**
 * The messages from agent to agent. Each pair of threads has one port, which the host hands out once. Each pair of
 * instances has a mailbox of its own at the sender, which keeps a message until it was handled: the recipient may die
 * and come again, and loses only what it had in hand.
 */
export class Peers implements PeerBridge {
  readonly #options: PeersOptions;
  readonly #waiting: Waiting;
  readonly #ports: PeerPorts;
  /** All lines, of which those to be found are in {@link #bySender}. */
  readonly #lines = new Set<Line>();
  /** The lines of the instances that run, by their addresses; a key for both would be made for each event. */
  readonly #bySender = new WeakMap<object, Map<string, Line>>();
  /** The lines that are open. */
  readonly #links = new Map<number, Line>();
  /** Instances that have ended: what they sent before still goes, later sends are refused. */
  readonly #ended = new WeakSet<Self>();
  readonly #watches: PeerWatches;
  /** One entry for each dead letter that the host has not been told of yet. */
  #untold: Line[] = [];

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#waiting = new Waiting(options.clock);
    this.#watches = new PeerWatches((address) => options.callHost('ended', address) as Promise<PeerEnd>);
    const { turns, clock, instanceAt, warn } = options;
    const discard =
      (reason: DeadLetterReason) =>
      ({ slot }: Attachment, event: unknown, tag: Tag): void => {
        const line = this.#links.get(slot);
        if (line !== undefined) this.#discard(line, event, tag, reason);
      };
    this.#ports = new PeerPorts({
      turns,
      clock,
      instanceAt,
      warn,
      unread: (peer) => void options.callHost('unread', peer).catch(() => {}),
      delivered: (tag) => this.#waiting.resolve(tag),
      refused: (tag, error) => this.#waiting.reject(tag, decodeError(error as WireError)),
      answered: (peer, ack) => this.#answered(peer, ack),
      expired: discard('expired'),
      unclonable: discard('unclonable'),
    });
  }

  /** The number of things kept, none of them for instances that have ended. */
  get kept(): Readonly<Record<'lines' | 'links' | 'waiting' | 'watches', number>> {
    return {
      lines: this.#lines.size,
      links: this.#ports.links,
      waiting: this.#waiting.size,
      watches: this.#watches.size,
    };
  }

  // --- what agents want -----------------------------------------------------------------------------------

  send(from: Self | undefined, address: string, event: unknown, activate = false): void {
    const line = this.#lineTo(from, address);
    if (activate) line.activate = true;
    this.#offer(line, event, 0, NO_TERMS);
  }

  ask(from: Self | undefined, address: string, event: unknown, wait: PeerWait): Promise<unknown> {
    return this.#open('ask', from, address, event, wait);
  }

  deliver(from: Self | undefined, address: string, event: unknown, wait: PeerWait): Promise<unknown> {
    return this.#open('delivery', from, address, event, wait);
  }

  watch(...[from, address, listener]: Parameters<PeerBridge['watch']>): () => void {
    if (from !== undefined && this.#ended.has(from)) return () => {};
    return this.#watches.watch(from, address, listener);
  }

  #open(
    kind: 'ask' | 'delivery',
    from: Self | undefined,
    address: string,
    event: unknown,
    wait: PeerWait,
  ): Promise<unknown> {
    const bounds = boundsOf(wait, address, this.#options.clock.now());
    if (bounds instanceof Error) return Promise.reject(bounds);
    const { signal, activate = false } = wait;
    const { timeoutMs, depth } = bounds;
    const line = this.#lineTo(from, address);
    if (activate) line.activate = true;
    const options = {
      timeoutMs,
      signal,
      of: line,
      settled: (tag: Tag) => void line.deferred.delete(tag),
      onTimeout: (ms: number) => tooLate(address, kind, Math.round(ms)),
    };
    return this.#waiting.open(kind, options, (tag, deadline) =>
      this.#offer(line, event, tag, termsOf(deadline, depth)),
    );
  }

  #offer(line: Line, event: unknown, tag: Tag, terms: Terms): void {
    count(line, 1);
    const found = line.over ? 'stale-incarnation' : unfit(event, line);
    if (typeof found === 'string') return this.#discardUnfit(line, event, tag, found);
    if (found !== undefined) event = ownEvent(event as object, found);
    if (!line.mailbox.offer(event, tag, terms, undefined, this.#traceFor(line)))
      return this.#discard(line, event, tag, 'mailbox-full');
    if (line.open !== undefined) line.open.peer.outbox.ready(line.open.attachment);
    else if (!line.connecting) void this.#connect(line);
  }

  #traceFor(line: Line): Trace | undefined {
    const headers = currentTrace();
    const { clock, isInspected } = this.#options;
    const trace = headers && { headers, sentAt: clock.now(), told: isSampled(headers) };
    return isInspected() ? (line.times ??= new SentTimes()).at(clock.now(), trace) : trace;
  }

  #discardUnfit(line: Line, event: unknown, tag: Tag, found: DeadLetterReason | 'too-deep'): void {
    this.#discard(line, event, tag, found === 'too-deep' ? 'unclonable' : found);
  }

  /** Gives up an event of the line, or one that the line does not take. */
  #discard(line: Line, event: unknown, tag: Tag, reason: DeadLetterReason, cause?: unknown): void {
    const why = reason === 'unclonable' ? unclonableAdvice(event) : undefined;
    // Most events have nobody who waits.
    const error = tag === 0 ? undefined : refusal(line.address, reason, cause, why);
    this.#refuse(line, event, tag, reason, why, error);
  }

  #refuse(
    line: Line,
    event: unknown,
    tag: Tag,
    reason: DeadLetterReason,
    why: string | undefined,
    error: unknown,
  ): void {
    const { address } = line;
    this.#letter(line, { address, reason, event: reason === 'too-large' ? withoutBody(event) : event, why });
    if (tag !== 0) this.#waiting.reject(tag, error);
  }

  /** The recipient had the event in hand when it ended. */
  #suspect(line: Line, event: unknown, tag: Tag, evidence: WireEvidence): void {
    const { address } = line;
    this.#letter(line, { address, event, ...suspicion(evidence) });
    if (tag !== 0) this.#waiting.reject(tag, decodeError(evidence.error));
  }

  #letter(line: Line, letter: LetterReport): void {
    this.#options.letter(letter);
    if (this.#untold.length === 0) queueMicrotask(this.#tell);
    this.#untold.push(line);
  }

  /** If this thread dies, each event was either reported to the host or still counts as taken. */
  readonly #tell = (): void => {
    this.#options.flush();
    for (const line of this.#untold) count(line, -1);
    this.#untold = [];
  };

  // --- lines ----------------------------------------------------------------------------------------------

  #lineTo(from: Self | undefined, address: string): Line {
    const known = this.#bySender.get(from ?? NOBODY)?.get(address);
    if (known !== undefined) return known;
    const line = createLine(from, address, this.#options.sharedMemory);
    if (from !== undefined && this.#ended.has(from)) {
      line.over = true;
      return line;
    }
    this.#lines.add(line);
    const lines = this.#bySender.get(from ?? NOBODY) ?? new Map<string, Line>();
    this.#bySender.set(from ?? NOBODY, lines.set(address, line));
    return line;
  }

  async #connect(line: Line): Promise<void> {
    line.connecting = true;
    const { id, from, address, mailbox, taken, activate } = line;
    let at: PeerLine | NoPeerLine;
    try {
      const more = activate ? [true] : [];
      const answer = await this.#options.callHost(
        'connect',
        from?.address,
        address,
        id,
        taken.buffer,
        ...more,
      );
      at = answer as PeerLine | NoPeerLine;
    } catch {
      at = { refused: 'stopped' };
    }
    line.connecting = false;
    if ('refused' in at) {
      // A message sent in the meantime asks for the recipient to be started.
      if (line.activate && !activate) return this.#connect(line);
      const { error } = at;
      const failed = error === undefined ? undefined : decodeError(error);
      // The line led to an instance before, so the address existed.
      const reason = line.peers.size > 0 ? 'stopped' : at.refused;
      mailbox.clear((event, tag) =>
        failed === undefined
          ? this.#discard(line, event, tag, reason)
          : this.#refuse(line, event, tag, reason, notStarted(failed), failed),
      );
      this.#drop(line);
      return;
    }
    const { link, capacity, maxBytes, sharedMemory } = at;
    const peer = this.#ports.get(at.peer);
    mailbox.capacity = capacity;
    line.maxBytes = maxBytes;
    line.sharedMemory = line.sharedMemory && sharedMemory;
    mailbox.discardUnless(
      (event) => typeof unfit(event, line) !== 'string',
      (event, tag) => {
        const found = unfit(event, line);
        this.#discardUnfit(line, event, tag, typeof found === 'string' ? found : 'unclonable');
      },
    );
    line.peers.add(at.peer);
    this.#links.set(link, line);
    line.open = { link, peer, attachment: peer.outbox.attach(mailbox, link) };
  }

  /** Ends a link whose other incarnation has ended. What that has not handled is for the next one. */
  severed({ link, handled, again = 0, threw, suspect, error, unread = false }: Severance): void {
    const line = this.#links.get(link);
    if (line?.open === undefined) return;
    const { peer, attachment } = line.open;
    const reason = error === undefined ? undefined : decodeError(error);
    const underWay = line.mailbox.inFlight + attachment.acked - handled;
    peer.outbox.detach(attachment, handled, error && ((tag) => this.#waiting.reject(tag, reason)));
    this.#links.delete(link);
    line.open = undefined;
    // These include what could not be read, and the host could not read it either.
    const lost = unread ? underWay : 0;
    for (let n = 0; n < lost; n += 1)
      line.mailbox.discardFirst((event, tag) =>
        this.#discard(line, withoutBody(event), tag, 'unclonable', reason),
      );
    if (suspect !== undefined)
      line.mailbox.discardAt(again, (event, tag) => this.#suspect(line, event, tag, suspect));
    // It counts as handled; an ask hears of the error from its thread.
    if (threw !== undefined)
      line.mailbox.acknowledgeTo(again - 1, (tag) => this.#waiting.reject(tag, decodeError(threw)));
    if (anyMarked()) {
      const gone = (event: unknown, tag: Tag): void => this.#discard(line, event, tag, 'crashed', reason);
      line.mailbox.discardUnless((event) => !hasMoved(event), gone);
    }
    // Asks of an instance that ended by itself are answered by its thread.
    if (error !== undefined) for (const tag of line.deferred) this.#waiting.reject(tag, reason);
    if (line.mailbox.depth > 0) void this.#connect(line);
    else this.#drop(line);
  }

  /** Whether an event of the instance has not been handled, or an ask of it is put off. */
  isBusy(self: Self): boolean {
    let isBusy = false;
    // All of them: the threads of those whose events are under way are asked.
    for (const line of this.#bySender.get(self)?.values() ?? [])
      isBusy = isUnderWay(line) || line.deferred.size > 0 || isBusy;
    return isBusy;
  }

  /** Whether an event sent from here has not been handled. */
  get busy(): boolean {
    let isBusy = false;
    for (const line of this.#lines) isBusy = isUnderWay(line) || isBusy;
    return isBusy;
  }

  /** Closes the lines of an instance that has ended, after its messages have gone. */
  left(self: Self): void {
    this.#ended.add(self);
    this.#watches.left(self);
    const lines = this.#bySender.get(self);
    this.#bySender.delete(self);
    for (const line of lines?.values() ?? []) void this.#close(line);
  }

  async #close(line: Line): Promise<void> {
    while (line.mailbox.depth > 0) await line.mailbox.passed();
    this.#drop(line);
  }

  #drop(line: Line): void {
    if (!this.#lines.delete(line)) return;
    const lines = this.#bySender.get(line.from ?? NOBODY);
    if (lines?.get(line.address) === line) lines.delete(line.address);
    if (line.open !== undefined) {
      const { link, peer, attachment } = line.open;
      this.#links.delete(link);
      peer.outbox.detach(attachment, attachment.acked);
      line.open = undefined;
    }
    this.#options.callHost('disconnect', line.id).catch(() => {});
  }

  // --- what the host wants --------------------------------------------------------------------------------

  /** Adds a port to another thread. */
  join(id: number, port: LinkPort): void {
    this.#ports.join(id, port);
  }

  /** Lets another instance send to one of this thread; `false` when that one has ended. */
  admit(admission: Admission): boolean {
    return this.#ports.admit(admission);
  }

  /** Ends a link: nothing more is sent over it. With `wait`, resolves when what was sent before has been handled. */
  dismiss(link: number, wait: boolean): Promise<void> {
    return this.#ports.dismiss(link, wait);
  }

  /** Removes the links to an instance that has ended. */
  vacate(instance: HostedInstance): void {
    this.#ports.vacate(instance);
  }

  /** Settles only the asks that the answering thread was asked itself. */
  #answered(peer: number, [, tags = [], values = [], failed = [], deferred = [], more = []]: Ack): boolean {
    const lineOf = (tag: Tag): Line | undefined => {
      const line = this.#waiting.ownerOf(tag) as Line | undefined;
      return line?.peers.has(peer) === true ? line : undefined;
    };
    // Each list ends at the first value that is no tag: a made-up list may have four thousand million holes.
    let i = 0;
    for (; typeof tags[i] === 'number'; i++) {
      const tag = tags[i] as Tag;
      const line = lineOf(tag);
      if (line === undefined) continue;
      const answer = wholeAnswer(tag, values[i], more);
      if (line.sharedMemory || !sharesMemory(answer)) this.#waiting.resolve(tag, answer);
      else this.#waiting.reject(tag, sharedReply(line.address));
    }
    let isWhole = i === tags.length && values.length === tags.length;
    for (i = 0; typeof failed[i] === 'number' && i + 1 < failed.length; i += 2) {
      const tag = failed[i] as Tag;
      if (lineOf(tag) === undefined) continue;
      if (failed[i + 1] === null) this.#waiting.expire(tag);
      else this.#waiting.reject(tag, decodeError(failed[i + 1] as WireError));
    }
    isWhole &&= i === failed.length;
    for (i = 0; typeof deferred[i + 1] === 'number'; i += 2) {
      const tag = deferred[i + 1] as Tag;
      lineOf(tag)?.deferred.add(tag);
    }
    return isWhole && i === deferred.length;
  }
}

/** Stands for the sender of what no instance sends. */
const NOBODY = {};

/** Whether an event of the line was not handled, as far as is known; if so, its thread is asked. */
function isUnderWay({ mailbox, open }: Line): boolean {
  if (mailbox.depth === 0) return false;
  open?.peer.outbox.pull();
  return true;
}

function count({ taken }: Line, by: number): void {
  Atomics.add(taken, 0, by);
}

/** The host would not keep the rest of the event, or cannot read it, so the rest is not sent. */
function withoutBody(event: unknown): unknown {
  return { type: (event as { readonly type: string }).type };
}

function sharedReply(address: string): HoldfastError {
  return new HoldfastError(
    'REPLY_UNCLONABLE',
    `the reply of ${address} shares memory, which threads.<threadId>.sharedMemory of both pools has to allow; reply with a copy`,
  );
}
