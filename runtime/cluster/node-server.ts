import type { Server, Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { type Guarded, listening, netServer, tlsServer } from '../base/guarded-server.ts';
import { encodeError } from '../wire/errors.ts';
import { Lines } from './lines.ts';
import type { ClusterTls } from './link-tls.ts';
import {
  type Call,
  type CallMessage,
  type Hello,
  isCall,
  isCancel,
  isHello,
  isNudge,
  isPing,
  pack,
  PROTOCOL,
  unpack,
} from './messages.ts';
import type { ClusterNode } from './placement.ts';

/** What is left of the time of a call, and a signal for when nobody waits for it any more. */
export interface CallWait {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
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
    const calls = new Map<number, AbortController>();
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
        } else if (isCall(message)) void this.#call(message, calls, lines, socket);
        else if (isCancel(message)) calls.get(message.cancel)?.abort();
        else if (isNudge(message)) nudged(message.nudge);
        else if (isPing(message)) lines.send(message);
        else throw new Error('it says what no node says');
      },
      () => {
        clock.clearTimeout(timer);
        this.#sockets.delete(socket);
        for (const controller of calls.values()) controller.abort();
      },
    );
  }

  async #call(
    { q, ms = Infinity, value, kind, address, id, at }: CallMessage,
    calls: Map<number, AbortController>,
    lines: Lines,
    socket: Socket,
  ): Promise<void> {
    const controller = new AbortController();
    calls.set(q, controller);
    const tell = (answer: object): void => {
      calls.delete(q);
      // A node that does not read its answers is asked nothing more of until it does.
      if (!lines.send({ a: q, ...answer }) && !socket.isPaused()) {
        socket.pause();
        socket.once('drain', () => socket.resume());
      }
    };
    try {
      const call: Call = { kind, address, id, at, ...(value !== undefined && { value: unpack(value) }) };
      const result = await this.#options.answer(call, { timeoutMs: ms, signal: controller.signal });
      tell(result === undefined ? {} : { value: pack(result) });
    } catch (error) {
      tell({ error: pack(encodeError(error)) });
    }
  }
}
