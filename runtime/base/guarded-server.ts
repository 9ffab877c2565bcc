import type { IncomingMessage, Server as HttpServer, ServerOptions, ServerResponse } from 'node:http';
import {
  createServer as createNetServer,
  type Server as NetServer,
  type ServerOpts,
  type Socket,
} from 'node:net';
import type { Duplex } from 'node:stream';
import {
  createServer as createTlsServer,
  type Server as TlsServer,
  type TlsOptions,
  type TLSSocket,
} from 'node:tls';
import { contained } from './contained.ts';

// An import looks at all that a module exports, and `node:http` loads Node's own fetch for a part of it: ten times the time.
const { createServer: createHttpServer } = process.getBuiltinModule('node:http');

/** A server whose listeners are those that it was made with: one that is added later would be guarded by nobody. */
export type Guarded<S> = Omit<S, 'on' | 'once' | 'addListener' | 'prependListener' | 'prependOnceListener'>;

/** Is told what a listener threw; of each kind of error the first alone, since clients may cause any number. */
export type Failed = (error: unknown, what: string) => void;

export interface HttpListeners {
  readonly request: (request: IncomingMessage, response: ServerResponse) => unknown;
  /** Of a client that wants to leave HTTP; nobody else looks after its socket. Default: answered as a request. */
  readonly upgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => unknown;
}

/** An HTTP server. A listener that fails costs its own connection, and no error of a socket is without a listener. */
export function httpServer(
  options: ServerOptions,
  { request, upgrade }: HttpListeners,
  failed: Failed,
): Guarded<HttpServer> {
  const tell = ofEachKindOnce(failed);
  const server = createHttpServer(options);
  watch(server, tell);
  server.on('connection', quiet);
  const answer = contained(request, (error, _request, response) => {
    abandon(response);
    tell(error, 'a request');
  });
  server.on('request', (incoming: IncomingMessage, response: ServerResponse) => {
    quiet(incoming);
    quiet(response);
    answer(incoming, response);
  });
  if (upgrade === undefined) return server;
  const leave = contained(upgrade, (error, _request, socket) => {
    socket.destroy();
    tell(error, 'an upgrade');
  });
  server.on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    quiet(socket);
    leave(incoming, socket, head);
  });
  return server;
}

/** A server of bare connections. */
export function netServer(
  options: ServerOpts,
  connection: (socket: Socket) => unknown,
  failed: Failed,
): Guarded<NetServer> {
  const tell = ofEachKindOnce(failed);
  const server = createNetServer(options);
  watch(server, tell);
  server.on('connection', accepting(connection, tell));
  return server;
}

/** A server of connections that are decrypted here. A client that does not speak TLS is sent away. */
export function tlsServer(
  options: TlsOptions,
  connection: (socket: TLSSocket) => unknown,
  failed: Failed,
): Guarded<TlsServer> {
  const tell = ofEachKindOnce(failed);
  const server = createTlsServer(options);
  watch(server, tell);
  server.on('connection', quiet);
  server.on('tlsClientError', (_error, socket) => {
    quiet(socket);
    socket.destroy();
  });
  server.on('secureConnection', accepting(connection, tell));
  return server;
}

/** Resolves when it listens; rejects when it cannot. */
export function listening(server: Guarded<NetServer>, listen: (done: () => void) => void): Promise<void> {
  const emitter = server as NetServer;
  return new Promise((resolve, reject) => {
    emitter.once('error', reject);
    listen(() => {
      emitter.removeListener('error', reject);
      resolve();
    });
  });
}

function accepting<S extends Duplex>(connection: (socket: S) => unknown, tell: Failed): (socket: S) => void {
  const accept = contained(connection, (error, socket: S) => {
    socket.destroy();
    tell(error, 'a connection');
  });
  return (socket) => {
    quiet(socket);
    accept(socket);
  };
}

/** An error of a server that listens is one of accepting, which it goes on with; that of a start is told by the start. */
function watch(server: NetServer, tell: Failed): void {
  server.on('error', (error) => {
    if (server.listening) tell(error, 'accepting connections');
  });
}

/** Whoever reads from it learns that it ended; an error that nobody listens to would end the process. */
function quiet(stream: Duplex | IncomingMessage | ServerResponse): void {
  stream.on('error', ignore);
}

function ignore(): void {}

/** What is half out cannot be taken back: its connection ends. */
function abandon(response: ServerResponse): void {
  if (response.headersSent || response.destroyed) response.destroy();
  else response.writeHead(500, { Connection: 'close', 'Content-Length': 0 }).end();
}

/** Kinds that are remembered; there are few of them. */
const mostKinds = 64;

function ofEachKindOnce(failed: Failed): Failed {
  const known = new Set<string>();
  return (error, what) => {
    const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
    const kind = `${what} ${String(code ?? name)}`;
    if (known.has(kind) || known.size >= mostKinds) return;
    known.add(kind);
    failed(error, what);
  };
}
