import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Server, Socket } from 'node:net';
import { contained } from '../base/contained.ts';
import { HoldfastError } from '../base/errors.ts';
import {
  type Failed,
  type Guarded,
  httpServer,
  listening,
  netServer,
  tlsServer,
} from '../base/guarded-server.ts';
import { HttpError } from './http-error.ts';
import { sendError } from './send-error.ts';
import type { TlsFiles } from './tls-files.ts';

/** The most connections that wait while no process serves; more are refused. */
const MOST_HELD = 10_000;
/** Milliseconds that a refused client may take to send a request, and to read the answer. */
const REFUSE_MS = 5000;

export interface DoorOptions {
  readonly host: string;
  readonly port: number;
  /** Only for refusals: a process that serves has its own. */
  readonly tls: () => TlsFiles | undefined;
  /** Milliseconds for which a connection waits for a process that serves. */
  readonly holdMs: () => number;
  /** Called for an error of a connection, which was closed. */
  readonly failed: Failed;
}

/**
 * The door: accepts connections and gives each to the process that serves, unread. While none does, connections wait,
 * and nobody is refused. What clients send never goes through here.
 */
export class Door {
  readonly #options: DoorOptions;
  readonly #server: Guarded<Server>;
  readonly #held = new Map<Socket, NodeJS.Timeout>();
  #give: ((socket: Socket) => void) | undefined;
  #isClosed = false;

  private constructor(options: DoorOptions) {
    this.#options = options;
    const accept = (socket: Socket): void => this.#accept(socket);
    this.#server = netServer({ pauseOnConnect: true, noDelay: true }, accept, options.failed);
  }

  /**
   * Opens the door; nobody is let in yet.
   *
   * @throws {HoldfastError} `CONFIG_INVALID` when the port is taken
   */
  static async open(options: DoorOptions): Promise<Door> {
    const door = new Door(options);
    const { host, port } = options;
    try {
      await listening(door.#server, (done) => door.#server.listen(port, host, done));
    } catch (error) {
      const inUse = `${host}:${port} is in use: a gateway may already be running, see holdfast gateway status; or write another gateway.port`;
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      throw new HoldfastError('CONFIG_INVALID', inUse);
    }
    return door;
  }

  get url(): string {
    const { host, tls } = this.#options;
    const { port } = (this.#server.address() as AddressInfo | null) ?? this.#options;
    const name = host.includes(':') ? `[${host}]` : host;
    return `${tls() === undefined ? 'http' : 'https'}://${name}:${port}`;
  }

  get held(): number {
    return this.#held.size;
  }

  /** Gives connections to `give` from now on, beginning with those that wait. */
  leadTo(give: (socket: Socket) => void): void {
    const each = contained(give, (error, socket) => this.#broken(error, socket));
    this.#give = each;
    for (const [socket, timer] of this.#held) {
      clearTimeout(timer);
      each(socket);
    }
    this.#held.clear();
  }

  /** Has connections wait from now on. */
  hold(): void {
    this.#give = undefined;
  }

  /** Answers each request with that error from now on, including those of connections that wait. */
  refuse(why: HttpError): void {
    this.leadTo(this.#refuser(why));
  }

  /** Lets a connection in once more, because the process that it was given to ended before taking it. */
  readmit(socket: Socket): void {
    if (this.#isClosed) socket.destroy();
    else
      contained(
        () => this.#accept(socket),
        (error) => this.#broken(error, socket),
      )();
  }

  /** Answers every request of a connection with that error. */
  turnAway(socket: Socket, why: HttpError): void {
    contained(this.#refuser(why), (error, socket: Socket) => this.#broken(error, socket))(socket);
  }

  /** Lets nobody in any more, and closes waiting connections. Connections of a process stay with it. */
  close(): void {
    this.#isClosed = true;
    this.#server.close();
    for (const [socket, timer] of this.#held) {
      clearTimeout(timer);
      socket.destroy();
    }
    this.#held.clear();
  }

  #accept(socket: Socket): void {
    if (this.#give !== undefined) {
      this.#give(socket);
      return;
    }
    if (this.#held.size >= MOST_HELD) {
      this.#refuser(new HttpError(503, 'RESTARTING', 'too many connections wait for the restart'))(socket);
      return;
    }
    const ms = this.#options.holdMs();
    const refuse = (): void => {
      this.#held.delete(socket);
      this.#refuser(new HttpError(503, 'RESTARTING', `the restart took longer than ${ms} ms`))(socket);
    };
    const late = setTimeout(
      contained(refuse, (error) => this.#broken(error, socket)),
      ms,
    );
    this.#held.set(socket, late);
  }

  #broken(error: unknown, socket: Socket): void {
    socket.destroy();
    this.#options.failed(error, 'a connection');
  }

  /** Answers each request on a connection with that error. */
  #refuser(why: HttpError): (socket: Socket) => void {
    const { tls: filesOf, failed } = this.#options;
    const tls = filesOf();
    const request = (_request: IncomingMessage, response: ServerResponse): void => {
      response.setHeader('Connection', 'close');
      sendError(response, why);
    };
    const server = httpServer({}, { request }, failed);
    const secure = tls && tlsServer(tls, (socket) => server.emit('connection', socket), failed);
    return (socket) => {
      const cutOff = setTimeout(() => socket.destroy(), REFUSE_MS);
      socket.once('close', () => clearTimeout(cutOff));
      (secure ?? server).emit('connection', socket);
      socket.resume();
    };
  }
}
