import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import { systemClock, within } from '../base/clock.ts';
import { contained } from '../base/contained.ts';
import { type Failed, type Guarded, httpServer, listening, tlsServer } from '../base/guarded-server.ts';
import { HttpError } from './http-error.ts';
import { linger } from './linger.ts';
import { OpenRequests } from './open-requests.ts';
import { sendError } from './send-error.ts';
import { type ReadRequest, Successor } from './successor.ts';
import type { TlsFiles } from './tls-files.ts';

/** Idle connections stay for longer than the minute of load balancers, which so do not find theirs closed. */
const LIMITS = { keepAliveTimeout: 65_000, headersTimeout: 10_000, requestTimeout: 60_000 };
const HANDSHAKE_MS = 10_000;
/** The most requests that wait for the next process; more are refused. */
const MOST_HELD = 10_000;

type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;

export interface RequestServerOptions {
  readonly listener: Listener;
  readonly tls?: TlsFiles;
  /** Read at each request. */
  readonly requestTimeoutMs: () => number;
  /** Called for an error of a connection, which was closed. */
  readonly failed: Failed;
}

/**
 * Serves requests on connections that the front accepted, and on the socket of the process itself. When it leaves, it
 * answers the requests that it has begun, and passes on those that come later on open connections.
 */
export class RequestServer {
  readonly #options: RequestServerOptions;
  readonly #http: Guarded<Server>;
  readonly #tls: Guarded<TlsServer> | undefined;
  /** Lets a client in; a connection that fails is closed. */
  readonly accept: (socket: Socket) => void;
  readonly #sockets = new Set<Socket>();
  /** Requests that the app has begun to answer. */
  readonly #begun = new OpenRequests();
  /** Requests that it has not begun, or does not answer alone. */
  readonly #open = new OpenRequests();
  #state: 'serving' | 'leaving' | 'stopping' = 'serving';
  #held = 0;
  /** The time at which a client that does not heed `Connection: close` is cut off. */
  #lingerUntil = 0;
  #succeeded = Promise.withResolvers<Successor>();
  #successor: Successor | undefined;
  readonly #left = Promise.withResolvers<void>();

  constructor(options: RequestServerOptions) {
    this.#options = options;
    const { tls, failed } = options;
    const request = (incoming: IncomingMessage, response: ServerResponse): Promise<void> =>
      this.#handle(incoming, response);
    this.#http = httpServer(LIMITS, { request }, failed);
    if (tls !== undefined) {
      const secured = { ...tls, handshakeTimeout: HANDSHAKE_MS, ALPNProtocols: ['http/1.1'] };
      this.#tls = tlsServer(secured, (socket) => this.#http.emit('connection', socket), failed);
    }
    const letIn = (socket: Socket): void => this.#accept(socket);
    this.accept = contained(letIn, (error, socket) => {
      socket.destroy();
      failed(error, 'a connection');
    });
  }

  /** Also listens at a socket of its own, for the processes before it. */
  async listen(socket: string): Promise<void> {
    await listening(this.#http, (done) => this.#http.listen(socket, done));
  }

  #accept(socket: Socket): void {
    // The reader learns that the connection ended; before and after that, nobody needs to know.
    socket.on('error', () => {});
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#look();
    });
    (this.#tls ?? this.#http).emit('connection', socket);
    socket.resume();
  }

  /** Gives new connections the new certificate; existing ones keep theirs. */
  secure(files: TlsFiles): void {
    this.#tls?.setSecureContext(files);
  }

  /**
   * Resolves when the requests that have begun are answered, or after `ms`. Later requests wait for the next process.
   */
  async leave(ms: number): Promise<void> {
    this.#state = 'leaving';
    this.#lingerUntil = performance.now() + LIMITS.keepAliveTimeout;
    await this.#begun.none(ms);
  }

  /**
   * Begins a complete request, which is then answered before another process takes over. `false`: another one has, and
   * the request is to be passed on.
   */
  begin(request: IncomingMessage, response: ServerResponse): boolean {
    if (isControl(request)) return true;
    if (this.#state === 'leaving') return false;
    this.#begun.add(response);
    return true;
  }

  /** The answer is put off: it comes some time later, in the next process if need be. */
  putOff(response: ServerResponse): void {
    this.#begun.remove(response);
  }

  /** Has the next process answer a request that was read here. */
  async passOn(request: IncomingMessage, response: ServerResponse, read: ReadRequest): Promise<void> {
    try {
      await this.#later(request, response, read);
    } catch (error) {
      sendError(response, error);
    }
  }

  /** The next process serves at that socket. */
  async succeeded(socket: string): Promise<void> {
    const before = this.#successor;
    this.#successor = new Successor(socket);
    this.#succeeded.resolve(this.#successor);
    this.#look();
    await before?.close();
  }

  /** Resolves when no client has a connection any more, after {@link succeeded}. */
  get left(): Promise<void> {
    return this.#left.promise;
  }

  /** Answers the requests that have begun, for `ms` at most, and closes all connections. */
  async stop(ms: number): Promise<void> {
    this.#state = 'stopping';
    this.#succeeded.promise.catch(() => {});
    this.#succeeded.reject(stops());
    this.#http.close();
    this.#http.closeIdleConnections();
    await this.#open.none(ms);
    this.#http.closeAllConnections();
    for (const socket of this.#sockets) socket.destroy();
  }

  #look(): void {
    if (this.#successor !== undefined && this.#sockets.size === 0) this.#left.resolve();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const [ofControl, ofStream] = [isControl(request), isStream(request)];
      // A stream ends when its process leaves, and nobody waits for a slow reader.
      if (!ofStream) this.#open.add(response);
      // The process that was asked for something of the front answers, whichever serves meanwhile.
      if (this.#state !== 'serving' && !ofControl) return await this.#later(request, response);
      await this.#options.listener(request, response);
    } catch (error) {
      sendError(response, error);
    }
  }

  async #later(request: IncomingMessage, response: ServerResponse, read?: ReadRequest): Promise<void> {
    response.setHeader('Connection', 'close');
    if (this.#state === 'stopping') throw stops();
    if (performance.now() < this.#lingerUntil) linger(request.socket);
    else Reflect.deleteProperty(request.socket, 'destroySoon');
    const successor = this.#successor ?? (await this.#hold());
    await successor.pass(request, response, read);
  }

  async #hold(): Promise<Successor> {
    if (this.#held >= MOST_HELD)
      throw new HttpError(503, 'RESTARTING', 'too many requests wait for the restart');
    this.#held += 1;
    const ms = this.#options.requestTimeoutMs();
    try {
      return await within(systemClock, ms, this.#succeeded.promise, () => {
        return new HttpError(503, 'RESTARTING', `the restart took longer than ${ms} ms`);
      });
    } finally {
      this.#held -= 1;
    }
  }
}

function stops(): HttpError {
  return new HttpError(503, 'RUNTIME_STOPPED', 'the gateway stops');
}

function isControl({ url }: IncomingMessage): boolean {
  return url?.startsWith('/v1/gateway') === true;
}

/** Nobody waits for a slow reader of a stream when the process leaves. */
function isStream({ url, method, headers }: IncomingMessage): boolean {
  const path = url?.split('?', 1)[0];
  if (method === 'GET') return path?.endsWith('/stream') === true || path?.includes('/asks/') === true;
  return path?.endsWith('/ask') === true && headers.accept?.includes('text/event-stream') === true;
}
