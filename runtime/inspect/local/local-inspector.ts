import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocketServer } from 'ws';
import type { Clock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import type { InspectionHub } from '../inspection-hub.ts';
import { Access } from './access.ts';
import { Audience, type Viewer } from './audience.ts';
import { pageFile } from './page-files.ts';

/** The page of the running inspector. */
export interface InspectorPage {
  /** A link to it that works once, in the next 10 minutes. Each call gives a new one. */
  link(): string;
  /**
   * For `createWebSocketReceiver({ server })` of `@statelyai/inspect`, and other programs that read its events from a
   * WebSocket: works for as long as the runtime does, so keep it as you would a password.
   */
  readonly relay: string;
}

export interface LocalInspectorOptions {
  readonly hub: Pick<InspectionHub, 'listen' | 'replay'>;
  readonly clock: Clock;
  /** Default: a free one. */
  readonly port?: number | undefined;
  /** `stately`: the hosted page, which gets what this one would. */
  readonly page: 'local' | 'stately';
  /** JSON-safe, without the values of secrets. */
  readonly status: () => object;
  /** What the page may do; absent: it looks on. */
  readonly actions?: PageActions | undefined;
}

export interface PageActions {
  /** Sends the event to the instance at the address. */
  send(address: string, event: { readonly type: string }): void;
  replay(letterId: string): Promise<void>;
}

export interface RunningInspector extends InspectorPage {
  stop(): Promise<void>;
}

/** Bytes that a viewer may have waiting: what it takes a page a moment to read. */
const mostUnread = 4 * 1024 * 1024;
const mostBody = 64 * 1024;
const mostViewers = 16;

const headers = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
} as const;

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Where Stately's page is. */
const hosted = 'https://stately.ai';

/**
 * Serves the page on 127.0.0.1, and the relay beside it.
 *
 * @throws {HoldfastError} `CONFIG_INVALID`: the port is taken
 */
export async function startLocalInspector(options: LocalInspectorOptions): Promise<RunningInspector> {
  const { hub, clock, status, page } = options;
  const { WebSocketServer } = await import('ws');
  const access = new Access(clock);
  const audience = new Audience({
    hub,
    clock,
    now: () => performance.now(),
    status: () =>
      JSON.stringify({ ...status(), mayAct: options.actions !== undefined, leftOut: audience.leftOut }),
  });
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  // Few bytes, soon: nobody holds a connection open with a request that does not end.
  server.requestTimeout = server.headersTimeout = 10_000;
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 1024 });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
    const isAllowed = pathname === '/relay' && access.mayRelay(searchParams.get('token'));
    if (!isAllowed || !access.isFromHere(request) || audience.size >= mostViewers) {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    relay(request, socket, head, sockets, audience);
  });
  await listen(server, options.port ?? 0);
  access.listensAt((server.address() as AddressInfo).port);
  // A program ends when its own work does.
  server.unref();

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.setHeader('Content-Security-Policy', policy);
    if (!access.isFromHere(request)) return answer(response, 403, 'not from here\n');
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
    const token = searchParams.get('token');
    if (request.method === 'GET' && pathname === '/' && token !== null) return enter(response, token);
    if (!access.hasCookie(request)) return answer(response, 401, noCookie);
    if (request.method === 'POST') return act(request, response, pathname);
    if (request.method !== 'GET') return answer(response, 405, 'GET and POST only\n');
    if (pathname === '/events') return watch(response);
    if (page === 'stately' && pathname === '/') {
      response.setHeader('Content-Security-Policy', `${policy}; frame-src ${hosted}`);
      // What is in the frame opens windows and signs people in.
      response.removeHeader('Cross-Origin-Opener-Policy');
    }
    const home = page === 'stately' ? 'stately.html' : 'index.html';
    const file = await pageFile(pathname === '/' ? home : pathname.slice(1));
    if (file === undefined) return answer(response, 404, 'not here\n');
    response.setHeader('Content-Type', file.type);
    response.end(file.body);
  }

  function enter(response: ServerResponse, token: string): void {
    const cookie = access.exchange(token);
    if (cookie === undefined) return answer(response, 401, noCookie);
    response.setHeader('Set-Cookie', cookie);
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    // No redirect: of a link that was followed from elsewhere it would come without the cookie.
    response.end(
      '<!doctype html><title>Holdfast</title><link rel="icon" href="data:,"><meta http-equiv="refresh" content="0;url=/">',
    );
  }

  function watch(response: ServerResponse): void {
    if (audience.size >= mostViewers)
      return answer(response, 503, 'too many pages are open; close one and load this again\n');
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const write = (kind: string, data: string): void =>
      void response.write(`event: ${kind}\ndata: ${data}\n\n`);
    const leave = audience.join({
      tell: write,
      tellStatus: (text) => write('status', text),
      isFull: () => response.writableLength > mostUnread,
    });
    response.on('close', leave);
  }

  async function act(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const { actions } = options;
    if (actions === undefined)
      return answer(response, 403, 'this page may only look; start the runtime with `allowSend: true`\n');
    // Browsers ask before they send this type to another site; forms cannot.
    if (request.headers['content-type'] !== 'application/json')
      return answer(response, 415, 'send application/json\n');
    const body = await readBody(request);
    if (body === undefined) return answer(response, 413, `at most ${mostBody} bytes\n`);
    const { address, event, id } = body as { address?: unknown; event?: unknown; id?: unknown };
    try {
      if (path === '/send' && typeof address === 'string' && isEvent(event)) actions.send(address, event);
      else if (path === '/replay' && typeof id === 'string') await actions.replay(id);
      else return answer(response, 400, 'an address and an event with a type, or the id of a letter\n');
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      return answer(response, 409, `${error.code}: ${error.message}\n`);
    }
    response.writeHead(204).end();
  }

  return {
    link: () => access.link(),
    relay: access.relay,
    async stop() {
      audience.end();
      for (const client of sockets.clients) client.terminate();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const noCookie =
  'this link has been used, or is too old. A new one: runtime.inspector.link(), or start the program again\n';

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(text);
}

function isEvent(event: unknown): event is { type: string } {
  return typeof event === 'object' && event !== null && 'type' in event && typeof event.type === 'string';
}

/** Undefined: too much of it. */
async function readBody(request: IncomingMessage): Promise<object | undefined> {
  let text = '';
  request.setEncoding('utf8');
  for await (const chunk of request) {
    text += chunk as string;
    if (text.length > mostBody) return undefined;
  }
  try {
    return Object(JSON.parse(text)) as object;
  } catch {
    return {};
  }
}

/** Each event by itself, as Stately's relay sends them. */
function relay(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  sockets: WebSocketServer,
  audience: Audience,
): void {
  sockets.handleUpgrade(request, socket, head, (client) => {
    const viewer: Viewer = {
      tell(_kind, events) {
        for (const event of JSON.parse(events) as unknown[]) client.send(JSON.stringify(event));
      },
      isFull: () => client.bufferedAmount > mostUnread,
    };
    const leave = audience.join(viewer);
    client.on('close', leave);
    client.on('error', () => client.terminate());
  });
}

async function listen(server: ReturnType<typeof createServer>, port: number): Promise<void> {
  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  server.listen(port, '127.0.0.1', () => listening.resolve());
  try {
    await listening.promise;
  } catch (error) {
    throw new HoldfastError(
      'CONFIG_INVALID',
      `the inspector cannot listen on port ${port} of 127.0.0.1 (${(error as NodeJS.ErrnoException).code}); give another \`inspect.port\`, or none for a free one`,
      { cause: error },
    );
  }
}
