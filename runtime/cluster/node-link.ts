import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type Clock, within } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { isLoopback } from '../base/loopback.ts';
import { refusal, silent, tooLate } from '../dead-letters/refusal.ts';
import type { Tag } from '../mailbox/tag.ts';
import type { AnswerStream, StreamSeat, Waiting, WaitOptions } from '../mailbox/waiting.ts';
import type { Encoded } from '../wire/encoded-state.ts';
import { decodeError, type WireError } from '../wire/errors.ts';
import type { Turn } from './call-order.ts';
import { Lines } from './lines.ts';
import type { ClusterTls } from './link-tls.ts';
import {
  type AnswerMessage,
  bytesOf,
  type Call,
  type CallMessage,
  type Hello,
  isAnswer,
  isHello,
  isPart,
  isPing,
  MOST_CALLS,
  pack,
  PROTOCOL,
  unpack,
} from './messages.ts';
import type { ClusterNode } from './placement.ts';
import type { Wants } from './wants.ts';

export interface NodeLinkOptions {
  /** The node at the other end. */
  readonly node: ClusterNode;
  readonly hello: () => Hello;
  readonly tls: ClusterTls | undefined;
  readonly clock: Clock;
  /** Milliseconds after which a node that says nothing is not reached. Default 3000. */
  readonly silentMs?: number | undefined;
  /** Those who wait for answers, of all links of this node. */
  readonly waiting: Waiting;
  /** Returns the path to the value of a secret in what is encoded, which must not leave; `undefined`: there is none. */
  readonly secretIn: (encoded: Encoded) => readonly string[] | undefined;
}

/** What reads the parts of a call before its answer. */
export interface PartReader extends AnswerStream {
  /** It was asked before, and nothing of it is read. */
  again?(): void;
}

/** How long somebody waits for a call, and what reads its parts: then the time is one of silence, and stays here. */
export interface LinkWait {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly stream?: PartReader | undefined;
  /** Says when the call may leave; its time runs meanwhile. Default: at once. */
  readonly turn?: Turn | undefined;
  /** What is wanted of the call as long as it is under way, instead of its value. */
  readonly wants?: Wants | undefined;
}

interface Pending {
  readonly message: Omit<CallMessage, 'q' | 'ms'>;
  /** When its time is up, by the clock; `Infinity`: never, or its parts count. */
  readonly until: number;
  readonly stream: PartReader | undefined;
  readonly wants: Wants | undefined;
  /** Whether it may leave. */
  isReady: boolean;
  /** Whether it has left on the connection that is open. */
  isSent: boolean;
}

/** Milliseconds between two tries to connect, and the most, twice as many each time. */
const RETRY_MS = 50;
const MOST_RETRY_MS = 1000;
/** Why a call with the value of a secret is refused. */
const SECRET_LEAVES =
  'what it is given carries the value of a secret, and would leave this node; grant the secret to its agent instead';
/** Milliseconds after which a node that says nothing is not reached: as the agents' own watch of a thread, and no less than a pause of a collector. */
const SILENT_MS = 3000;

/**
 * One node, as seen from another: connects when there is something to say. A call waits for the connection as long as it has
 * time; one that has left when the connection ends is sent again if it has an id, and ends with `NODE_UNREACHABLE` if not.
 */
export class NodeLink {
  readonly #options: NodeLinkOptions;
  readonly #calls = new Map<number, Pending>();
  /** What is said as soon as there is a connection. */
  readonly #nudges = new Set<string>();
  /** Who waits for the answer to a ping, by its number. */
  readonly #pings = new Map<number, () => void>();
  #next = 1;
  /** Lets who writes the parts of a call go on. */
  readonly #seat: StreamSeat = {
    credit: (tag, taken) => {
      if (taken > 0 && this.#isOpen) this.#lines?.send({ more: tag, taken });
    },
  };
  #lines: Lines | undefined;
  #isOpen = false;
  #retry: unknown;
  #retryMs = RETRY_MS;
  #watch: unknown;
  /** Ticks of the watch since something came. */
  #silent = 0;
  #why = 'it was not tried';
  #closed: HoldfastError | undefined;
  #stays = false;

  constructor(options: NodeLinkOptions) {
    this.#options = options;
  }

  /** Resolves with the answer; `timeoutMs`: the time for all of it. Rejects with `SECRET_IN_SNAPSHOT`, before anything leaves. */
  async call(
    { value, ...call }: Call,
    { timeoutMs, signal, stream, wants, turn = (begin) => begin() }: LinkWait,
  ): Promise<unknown> {
    const { clock, node, waiting } = this.#options;
    if (this.#closed !== undefined) throw this.#closed;
    if (this.#calls.size >= MOST_CALLS)
      throw new HoldfastError(
        'MAILBOX_FULL',
        `${MOST_CALLS} calls wait for node ${node.node}; wait for some of them`,
      );
    const options: WaitOptions = {
      timeoutMs,
      signal,
      stream,
      onTimeout: () => this.#late(pending, timeoutMs),
      settled: (q) => this.#settled(q),
    };
    const assertSafe = (encoded: Encoded): void => {
      if (this.#options.secretIn(encoded) !== undefined)
        throw refusal(call.address, 'secret', undefined, SECRET_LEAVES);
    };
    const message = value === undefined ? call : { ...call, value: pack(value, assertSafe) };
    const until = stream === undefined ? clock.now() + timeoutMs : Infinity;
    const pending: Pending = { message, until, stream, wants, isReady: false, isSent: false };
    // Whoever asks that has nothing to wait for when the node is not there.
    if (call.kind === 'placed' && this.#retry !== undefined) throw this.#unreachable(pending);
    return waiting.open('ask', options, (q) => {
      this.#calls.set(q, pending);
      if (wants !== undefined)
        wants.changed = (wanted) => {
          if (pending.isSent && this.#isOpen) this.#lines?.send({ want: q, value: pack(wanted) });
        };
      turn(() => {
        if (this.#calls.get(q) !== pending) return;
        pending.isReady = true;
        if (this.#isOpen) this.#send(q, pending);
        else this.#connect();
      });
    });
  }

  /** Says that there may be rows of an address, before all calls that come later; nobody hears whether it arrives. */
  nudge(address: string): void {
    if (this.#isOpen) this.#lines?.send({ nudge: address });
    else if (this.#closed === undefined && this.#nudges.size < MOST_CALLS) {
      this.#nudges.add(address);
      this.#connect();
    }
  }

  /** Resolves when the node answers; rejects when it has not within `timeoutMs`. */
  async ping(timeoutMs: number): Promise<void> {
    const { clock, node } = this.#options;
    const q = this.#next++;
    const answered = new Promise<void>((resolve) => {
      this.#pings.set(q, resolve);
    });
    if (this.#isOpen) this.#lines?.send({ ping: q });
    else if (this.#closed === undefined) this.#connect();
    const late = (): Error => new Error(`node ${node.node} does not answer (${this.#why})`);
    await within(clock, timeoutMs, answered, late).finally(() => this.#pings.delete(q));
  }

  /** Connects now, and again whenever the connection ends, whether there is something to say or not. */
  stay(): void {
    this.#stays = true;
    if (this.#closed === undefined) this.#connect();
  }

  /** Whether the node answers, and if not, why. */
  get health(): { readonly reachable: boolean; readonly why?: string | undefined } {
    return this.#isOpen ? { reachable: true } : { reachable: false, why: this.#why };
  }

  get #isWanted(): boolean {
    return this.#stays || this.#calls.size + this.#nudges.size > 0;
  }

  /** Says nothing more. What waits ends with the error. */
  close(error: HoldfastError): void {
    this.#closed = error;
    this.#options.clock.clearTimeout(this.#retry);
    for (const q of this.#calls.keys()) this.#options.waiting.reject(q, error);
    this.#lines?.end();
  }

  /** The node is there no more: what waits ends as when it cannot be reached. */
  abandon(): void {
    this.#why = 'it is not there any more';
    for (const [q, pending] of this.#calls) this.#options.waiting.reject(q, this.#unreachable(pending));
    this.close(
      new HoldfastError(
        'NODE_UNREACHABLE',
        `node ${this.#options.node.node} is not there any more; try again`,
      ),
    );
  }

  /** Whether that is the node at the other end. */
  isTo({ host, port }: ClusterNode): boolean {
    const { node } = this.#options;
    return node.host === host && node.port === port;
  }

  #send(q: number, pending: Pending): void {
    const left = pending.until - this.#options.clock.now();
    pending.isSent = true;
    this.#lines?.send({
      q,
      ...pending.message,
      ...(pending.wants && { value: pack(pending.wants.value) }),
      ...(left !== Infinity && { ms: Math.max(1, Math.ceil(left)) }),
    });
  }

  #late(pending: Pending, ms: number): HoldfastError {
    const { address, kind } = pending.message;
    if (!pending.isSent && !this.#isOpen) return this.#unreachable(pending);
    if (kind === 'askStream') return silent(address, ms);
    return tooLate(address, kind === 'ask' ? 'ask' : 'delivery', ms);
  }

  /** Nobody waits any more: for an answer that has come, or before one has. */
  #settled(q: Tag): void {
    const pending = this.#calls.get(q);
    this.#calls.delete(q);
    if (pending?.isSent === true && this.#isOpen) this.#lines?.send({ cancel: q });
  }

  #connect(): void {
    if (this.#lines !== undefined || this.#retry !== undefined) return;
    const { node, hello, tls, clock } = this.#options;
    const { host, port } = node;
    // Nodes that come and go are known by the database, which may name any place.
    if (tls === undefined && !isLoopback(host))
      return this.#lost(new Error('it is reached over a network, and this node has no tls'));
    const socket: Socket =
      tls === undefined ? connectPlain({ host, port }) : connectTls({ host, port, ...tls });
    socket.setNoDelay();
    const lines = new Lines(
      socket,
      (message) => this.#came(message),
      (error) => this.#lost(error),
    );
    this.#lines = lines;
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => lines.send(hello()));
    this.#silent = 0;
    const { silentMs = SILENT_MS } = this.#options;
    const tick = (): void => {
      this.#silent += 1;
      if (this.#silent > 4) return void socket.destroy(new Error(`it has said nothing for ${silentMs} ms`));
      if (this.#isOpen) lines.send({ ping: 0 });
      this.#watch = clock.setTimeout(tick, silentMs / 4);
      clock.unref?.(this.#watch);
    };
    tick();
  }

  #came(message: unknown): void {
    this.#silent = 0;
    if (!this.#isOpen) {
      this.#greeted(message);
      this.#isOpen = true;
      this.#retryMs = RETRY_MS;
      for (const address of this.#nudges) this.nudge(address);
      this.#nudges.clear();
      for (const q of this.#pings.keys()) this.#lines?.send({ ping: q });
      for (const [q, pending] of this.#calls) if (pending.isReady) this.#send(q, pending);
    } else if (isAnswer(message)) {
      this.#answered(message);
    } else if (isPart(message)) {
      const stream = this.#calls.get(message.part)?.stream;
      const bytes = bytesOf(message.value);
      const wrong = stream?.take(this.#seat, [unpack(message.value)], bytes, bytes);
      if (wrong !== undefined) throw new Error(wrong);
    } else if (isPing(message)) this.#pings.get(message.ping)?.();
    else throw new Error('it says what no node says');
  }

  #answered(message: AnswerMessage): void {
    const { waiting } = this.#options;
    const stream = this.#calls.get(message.a)?.stream;
    const result =
      'error' in message
        ? unpack(message.error)
        : message.value === undefined
          ? undefined
          : unpack(message.value);
    if (!this.#calls.delete(message.a)) return;
    if ('error' in message) return waiting.reject(message.a, decodeError(result as WireError));
    if (message.again === true) stream?.again?.();
    waiting.resolve(message.a, result);
  }

  #greeted(message: unknown): void {
    const { node, hello } = this.#options;
    const { store } = hello();
    if (!isHello(message)) throw new Error('it is no node');
    if (message.holdfast !== PROTOCOL)
      throw new Error(`it speaks version ${message.holdfast}, and this one ${PROTOCOL}`);
    if (message.node !== node.node) throw new Error(`it is node ${message.node}`);
    if (message.store !== store) throw new Error('it has another store');
  }

  #lost(error: Error | undefined): void {
    const { clock } = this.#options;
    clock.clearTimeout(this.#watch);
    this.#lines = undefined;
    this.#isOpen = false;
    this.#why = error?.message ?? 'the connection has ended';
    if (this.#closed !== undefined) return;
    for (const [q, pending] of this.#calls) {
      const { id, kind } = pending.message;
      const isLost = pending.isSent && (id === undefined || pending.stream !== undefined);
      if (isLost || kind === 'placed') this.#options.waiting.reject(q, this.#unreachable(pending));
      else pending.isSent = false;
    }
    if (!this.#isWanted) return;
    this.#retry = clock.setTimeout(() => {
      this.#retry = undefined;
      if (this.#isWanted) this.#connect();
    }, this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, MOST_RETRY_MS);
  }

  #unreachable({ isSent, message: { address } }: Pending): HoldfastError {
    const { node } = this.#options;
    const what = isSent
      ? 'and nobody knows whether it was done; look, or give the event an id and send it again'
      : 'and it was not sent; try again';
    return new HoldfastError(
      'NODE_UNREACHABLE',
      `${address} is on node ${node.node}, which cannot be reached (${this.#why}), ${what}`,
    );
  }
}
