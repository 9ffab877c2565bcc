import type { Server, Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { type Guarded, listening, netServer, tlsServer } from '../base/guarded-server.ts';
import { HoldfastError } from '../base/errors.ts';
import { encodeError } from '../wire/errors.ts';
import { Lines } from './lines.ts';
import type { ClusterTls } from './link-tls.ts';
import {
  bytesOf,
  type Call,
  type CallMessage,
  type Hello,
  isCall,
  isCancel,
  isHello,
  isNudge,
  isPing,
  isTaken,
  isWant,
  MOST_CALLS,
  pack,
  PROTOCOL,
  type TakenMessage,
  unpack,
} from './messages.ts';
import { PartWindow } from './part-window.ts';
import type { ClusterNode } from './placement.ts';
import { Wants } from './wants.ts';

/** What is left of the time of a call, a signal for when nobody waits for it any more, and a way to whoever does. */
export interface CallWait {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /**
   * Tells a part of the answer; returns what resolves when there is room for another, or nobody reads any more, and nothing when
   * there is. Throws for what cannot cross.
   */
  readonly write: (part: unknown) => Promise<void> | undefined;
  /** It was asked before, and nothing of it is read. */
  readonly again: () => void;
  /** What is wanted of the call, as it is now. */
  readonly wants: Wants;
}

/** A call that has no answer yet. */
interface OpenCall {
  readonly controller: AbortController;
  /** Exists from its first part on. */
  window: PartWindow | undefined;
  readonly wants: Wants;
}

export interface NodeServerOptions {
  /** Where it listens. */
  readonly at: Pick<ClusterNode, 'host' | 'port'>;
  readonly hello: () => Hello;
  readonly tls: ClusterTls | undefined;
  readonly clock: Clock;
  /** Does what another node asks for; called in the order in which that asked. */
  readonly answer: (call: Call, wait: CallWait) => Promise<unknown>;
  /** Another node has written rows of that address. */
  readonly nudged: (address: string) => void;
  readonly warn: (fields: object, message: string) => void;
}

/** Milliseconds in which a client has to say who it is. */
const HELLO_MS = 5000;
/** The most connections: several of each node, since one that has ended is not always known to have. */
const MOST_CONNECTIONS = 256;

/** The side of a node that others connect to. With TLS a client has to show a certificate of the authority of the nodes. */
export class NodeServer {
  readonly #options: NodeServerOptions;
  readonly #server: Guarded<Server>;
  readonly #sockets = new Set<Socket>();

  constructor(options: NodeServerOptions) {
    const { tls, warn } = options;
    this.#options = options;
    const failed = (error: unknown, what: string): void =>
      warn({ error }, `the link of this node failed at ${what}`);
    const connection = (socket: Socket): void => this.#connected(socket);
    this.#server =
      tls === undefined
        ? netServer({ noDelay: true }, connection, failed)
        : tlsServer(
            { ...tls, requestCert: true, rejectUnauthorized: true, noDelay: true },
            connection,
            failed,
          );
    this.#server.maxConnections = MOST_CONNECTIONS;
  }

  listen(): Promise<void> {
    const { host, port } = this.#options.at;
    return listening(this.#server, (done) => this.#server.listen({ host, port }, done));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #connected(socket: Socket): void {
    const { hello, clock, nudged } = this.#options;
    this.#sockets.add(socket);
    const calls = new Map<number, OpenCall>();
    let isKnown = false;
    const timer = clock.setTimeout(() => {
      if (!isKnown) socket.destroy();
    }, HELLO_MS);
    clock.unref?.(timer);
    const lines = new Lines(
      socket,
      (message) => {
        if (!isKnown) {
          if (!isHello(message) || message.holdfast !== PROTOCOL || message.store !== hello().store)
            // It hears who this is, and ends the connection itself.
            socket.end(`${JSON.stringify(hello())}\n`);
          else {
            isKnown = true;
            lines.send(hello());
          }
        } else if (isCall(message)) {
          if (calls.has(message.q)) throw new Error('it gives two calls one number');
          void this.#call(message, calls, lines, socket);
        } else if (isTaken(message)) credit(calls, message);
        else if (isWant(message)) calls.get(message.want)?.wants.become(unpack(message.value));
        else if (isCancel(message)) end(calls.get(message.cancel));
        else if (isNudge(message)) nudged(message.nudge);
        else if (isPing(message)) lines.send(message);
        else throw new Error('it says what no node says');
      },
      () => {
        clock.clearTimeout(timer);
        this.#sockets.delete(socket);
        for (const open of calls.values()) end(open);
      },
    );
  }

  async #call(
    { q, ms = Infinity, value, ...given }: CallMessage,
    calls: Map<number, OpenCall>,
    lines: Lines,
    socket: Socket,
  ): Promise<void> {
    const controller = new AbortController();
    const wants = new Wants();
    const open: OpenCall = { controller, window: undefined, wants };
    const say = (message: object): void => {
      // A node that does not read its answers is asked nothing more of until it does.
      if (!lines.send(message) && !socket.isPaused()) {
        socket.pause();
        socket.once('drain', () => socket.resume());
      }
    };
    const tell = (answer: object): void => {
      calls.delete(q);
      say({ a: q, ...answer });
    };
    const write = (part: unknown): Promise<void> | undefined => {
      if (calls.get(q) !== open || controller.signal.aborted) return undefined;
      const packed = pack(part);
      say({ part: q, value: packed });
      return (open.window ??= new PartWindow()).add(bytesOf(packed));
    };
    const told: { again?: true } = {};
    const again = (): void => void (told.again = true);
    try {
      if (calls.size >= MOST_CALLS) throw tooMany(given.address, this.#options.hello().node);
      calls.set(q, open);
      const call: Call = { ...given, ...(value !== undefined && { value: unpack(value) }) };
      wants.become(call.value);
      const wait = { timeoutMs: ms, signal: controller.signal, write, again, wants };
      const result = await this.#options.answer(call, wait);
      tell({ ...told, ...(result !== undefined && { value: pack(result) }) });
    } catch (error) {
      tell({ error: pack(encodeError(error)) });
    }
  }
}

/** Nobody waits for it any more. */
function end(open: OpenCall | undefined): void {
  open?.window?.close();
  open?.controller.abort();
}

function credit(calls: ReadonlyMap<number, OpenCall>, { more, taken }: TakenMessage): void {
  const open = calls.get(more);
  // The last parts of a call that is over may be taken after its end.
  if (open !== undefined && open.window?.taken(taken) !== true)
    throw new Error('it takes more than there was');
}

function tooMany(address: string, node: number): HoldfastError {
  return new HoldfastError(
    'MAILBOX_FULL',
    `${address}: ${MOST_CALLS} calls of one node wait on node ${node}; wait for some of them`,
  );
}
