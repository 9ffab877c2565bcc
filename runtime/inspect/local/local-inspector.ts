import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Clock } from '../../base/clock.ts';
import { HoldfastError } from '../../base/errors.ts';
import { type Failed, httpServer, listening } from '../../base/guarded-server.ts';
import type { JsonSchema } from '../../wire/agent-schemas.ts';
import type { InspectionHub } from '../inspection-hub.ts';
import { Access } from './access.ts';
import { Audience } from './audience.ts';
import { deedOf, type Deed } from './deed.ts';
import { Machines } from './machines.ts';
import { pageFile } from './page-files.ts';
import { mostShown, PageViewer, type Figures } from './page-viewer.ts';
import { wholeViewer } from './whole-viewer.ts';

/** The page of the running inspector. */
export interface InspectorPage {
  /**
   * Returns a new link to the page, which works once, within 10 minutes. `mayAct`: whether the page may do what it offers, and not
   * only look on; default: the option `allowSend`.
   */
  link(options?: { readonly mayAct?: boolean }): string;
  /**
   * The address of the relay, for `createWebSocketReceiver({ server })` of `@statelyai/inspect` and other programs that
   * read its events from a WebSocket. It works as long as the runtime runs, so treat it as a password.
   */
  readonly relay: string;
}

export interface LocalInspectorOptions {
  readonly hub: Pick<InspectionHub, 'listen' | 'replay' | 'actor' | 'actors' | 'scrub'>;
  readonly clock: Clock;
  /** Default: a free one. */
  readonly port?: number | undefined;
  /** `stately`: the hosted page, which gets what this one would. */
  readonly page: 'local' | 'stately';
  /** What a page that shows these actors is told each second, by name: JSON-safe, without the values of secrets. */
  readonly figures: (shown: ReadonlySet<string>) => Figures;
  /** The batches of a record, as JSON, which is shown instead of what happens. */
  readonly recorded?: readonly string[] | undefined;
  /** What the page may ask at any time, by path: the answers are JSON-safe, and undefined for what makes no sense. */
  readonly questions?: ReadonlyMap<string, Question> | undefined;
  /** What a page may do; absent: all look on. */
  readonly actions?: PageActions | undefined;
  /** Whether pages may do it whose link says nothing of that. Default: they may. */
  readonly allowSend?: boolean | undefined;
  /** Milliseconds, for the budget of the host. Default: `performance.now`. */
  readonly now?: (() => number) | undefined;
  /** Is told what went wrong with a viewer or its connection. */
  readonly failed: Failed;
}

export type Question = (
  asked: object,
  signal: AbortSignal,
) => object | undefined | Promise<object | undefined>;

export interface PageActions {
  /** Sends the event to the instance at the address, and resolves when it has been handled. */
  send(address: string, event: { readonly type: string }): Promise<void>;
  /** The events that the instance accepts, without the values of secrets; undefined for any. */
  accepts(address: string): Promise<Readonly<Record<string, JsonSchema>> | undefined>;
  replay(letterId: string): Promise<void>;
  /** Does what was confirmed on the page; resolves with what came of it, as JSON, if there is something to say. */
  act(deed: Deed): Promise<object | undefined>;
}

export interface RunningInspector extends InspectorPage {
  /** Where it is; nothing is shown there without a link. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Bytes that a viewer may have waiting: what it takes a page a moment to read. */
const mostUnread = 4 * 1024 * 1024;
const mostBody = 64 * 1024;
/** Milliseconds between two times that a record is told the figures of all instances. */
const wholeMs = 10_000;
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
  "worker-src 'self'",
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
  const { hub, clock, page, failed } = options;
  const { WebSocketServer } = await import('ws');
  const access = new Access(clock);
  const audience = new Audience({
    hub,
    clock,
    recorded: options.recorded,
    now: options.now ?? (() => performance.now()),
    failed: (error) => failed(error, 'what viewers were to be told'),
  });
  const machines = new Machines();
  const pages = new Map<string, PageViewer>();
  const figuresFor =
    (acts: boolean) =>
    (shown: ReadonlySet<string>): Figures => ({
      ...options.figures(shown),
      mayAct: acts,
      leftOut: audience.leftOut,
    });
  // Few bytes, soon: nobody holds a connection open with a request that does not end.
  const limits = { requestTimeout: 10_000, headersTimeout: 10_000 };
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 1024 });
  const server = httpServer(limits, { request: handle, upgrade }, failed);
  await listen(server, options.port ?? 0);
  access.listensAt((server.address() as AddressInfo).port);
  // A program ends when its own work does.
  server.unref();

  function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // What is asked for is looked at when it is known who asks.
    const { path, query } = access.isFromHere(request) ? targetOf(request) : NOWHERE;
    const isAllowed = path === '/relay' && access.mayRelay(query.get('token'));
    if (!isAllowed || audience.size >= mostViewers) {
      // A client that does not close its end is not waited for.
      socket.once('finish', () => socket.destroy());
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => relay(client));
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.setHeader('Content-Security-Policy', policy);
    if (!access.isFromHere(request))
      return answer(response, 403, 'this page takes no requests from elsewhere\n');
    const { path, query } = targetOf(request);
    const token = query.get('token');
    if (request.method === 'GET' && path === '/' && token !== null) return enter(response, token);
    // The page itself tells nothing of the runtime. A tab that loads it again can bring no header.
    if (request.method === 'GET' && path !== '/events') return sendFile(response, path);
    if (!access.hasSession(request)) return answer(response, 401, noAccess);
    const question = path === '/shown' ? show : options.questions?.get(path);
    if (request.method === 'POST' && question !== undefined) return tell(request, response, question);
    if (request.method === 'POST') return act(request, response, path);
    if (request.method !== 'GET') return answer(response, 405, 'GET and POST only\n');
    return watch(response, mayAct(request), query.has('whole'));
  }

  function mayAct(request: IncomingMessage): boolean {
    return options.actions !== undefined && access.mayAct(request);
  }

  async function sendFile(response: ServerResponse, path: string): Promise<void> {
    if (page === 'stately' && path === '/') {
      response.setHeader('Content-Security-Policy', `${policy}; frame-src ${hosted}`);
      // What is in the frame opens windows and signs people in.
      response.removeHeader('Cross-Origin-Opener-Policy');
    }
    const home = page === 'stately' ? 'stately.html' : 'index.html';
    const file = await pageFile(path === '/' ? home : path.slice(1));
    if (file === undefined) return answer(response, 404, 'there is no such file\n');
    response.setHeader('Content-Type', file.type);
    if (file.cacheControl !== undefined) response.setHeader('Cache-Control', file.cacheControl);
    response.end(file.body);
  }

  /** Gives the tab its secret, which it keeps as long as it is open; the link leaves its history. */
  function enter(response: ServerResponse, token: string): void {
    const session = access.exchange(token);
    if (session === undefined) return answer(response, 401, noAccess);
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end(
      `<!doctype html><title>Holdfast</title><link rel="icon" href="data:,"><meta name="session" content="${session}"><script type="module" src="/enter.js"></script>`,
    );
  }

  /** `isWhole`: all that each event carries, with the status now and then, as a record is made of. */
  function watch(response: ServerResponse, acts: boolean, isWhole: boolean): void {
    if (audience.size >= mostViewers)
      return answer(response, 503, 'too many pages are open; close one, then load this one again\n');
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const write = (kind: string, data: string): void =>
      void response.write(`event: ${kind}\ndata: ${data}\n\n`);
    const isFull = (): boolean => response.writableLength > mostUnread;
    if (page === 'stately' || isWhole) {
      const whole = (kind: string, told: object): void => write(kind, JSON.stringify(told));
      const viewer = { hub, clock, write: whole, isFull, hasLines: isWhole };
      const tick = isWhole ? wholeStatus((status) => whole('status', status)) : undefined;
      response.on('close', audience.join(wholeViewer({ ...viewer, ...(tick && { tick }) })));
      return;
    }
    const name = randomUUID();
    const figures = figuresFor(acts);
    const viewer = new PageViewer({ name, hub, clock, machines, figures, write, isFull });
    pages.set(name, viewer);
    const leave = audience.join(viewer);
    response.on('close', () => {
      pages.delete(name);
      leave();
    });
  }

  /** Tells the figures of all instances, which are many, now and then. */
  function wholeStatus(tell: (status: object) => void): () => void {
    let saidAt = -Infinity;
    return () => {
      if (clock.now() - saidAt < wholeMs) return;
      saidAt = clock.now();
      const all = new Set<string>();
      for (const { id, isInstance } of hub.actors()) if (isInstance) all.add(id);
      tell(options.figures(all));
    };
  }

  /** Each event by itself, as Stately's relay sends them. */
  function relay(client: WebSocket): void {
    client.on('error', () => client.terminate());
    const write = (_: string, events: readonly object[]): void => {
      for (const event of events) client.send(JSON.stringify(event));
    };
    const isFull = (): boolean => client.bufferedAmount > mostUnread;
    client.on('close', audience.join(wholeViewer({ hub, clock, write, isFull })));
  }

  /** A page says which actors it shows; what there is of them follows in its stream. */
  function show(asked: object): object | undefined {
    const { page: name, ids } = asked as { page?: unknown; ids?: unknown };
    if (typeof name !== 'string' || !Array.isArray(ids) || ids.length > mostShown) return undefined;
    const viewer = pages.get(name);
    if (viewer === undefined || !ids.every((id) => typeof id === 'string')) return undefined;
    viewer.show(ids);
    return {};
  }

  /** The JSON that was sent; undefined: it was refused. */
  async function bodyOf(request: IncomingMessage, response: ServerResponse): Promise<object | undefined> {
    // Browsers ask before they send this type to another site; forms cannot.
    if (request.headers['content-type'] !== 'application/json') {
      answer(response, 415, 'send application/json\n');
      return undefined;
    }
    const body = await readBody(request);
    if (body === undefined) answer(response, 413, `at most ${mostBody} bytes\n`);
    return body;
  }

  async function tell(request: IncomingMessage, response: ServerResponse, question: Question): Promise<void> {
    const body = await bodyOf(request, response);
    if (body === undefined) return;
    const left = new AbortController();
    response.on('close', () => left.abort());
    const told = await question(body, left.signal);
    if (told === undefined) answer(response, 400, 'what is asked for makes no sense\n');
    else answerJson(response, 200, told);
  }

  async function act(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const { actions } = options;
    if (actions === undefined || !mayAct(request)) return answer(response, 403, readOnly);
    const body = await bodyOf(request, response);
    if (body === undefined) return;
    const { address, event, id } = body as { address?: unknown; event?: unknown; id?: unknown };
    try {
      if (path === '/accepts' && typeof address === 'string')
        return answerJson(response, 200, { accepts: await actions.accepts(address) });
      if (path === '/send' && typeof address === 'string' && isEvent(event))
        await actions.send(address, event);
      else if (path === '/replay' && typeof id === 'string') await actions.replay(id);
      else {
        const deed = path === '/deed' ? deedOf(body) : undefined;
        if (deed === undefined) return answer(response, 400, notThat);
        const done = await actions.act(deed);
        if (done !== undefined) return answerJson(response, 200, done);
      }
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      const { code, message, issues } = error;
      if (issues !== undefined) return answerJson(response, 422, { code, issues });
      return answer(response, 409, `${code}: ${message}\n`);
    }
    response.writeHead(204).end();
  }

  return {
    url: access.url,
    link: ({ mayAct = options.allowSend ?? true } = {}) => access.link(mayAct),
    relay: access.relay,
    async stop() {
      audience.end();
      for (const client of sockets.clients) client.terminate();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

const readOnly =
  'this page is read-only; start the runtime with `allowSend: true`, or ask its gateway for a link with a token that allows `operate`\n';

const notThat =
  'send an address and an event with a type, the id of a dead letter, or a deed with what it is done to\n';

const noAccess =
  'this link has been used or is too old, or another tab was opened with it. A new one: runtime.inspector.link(), or `holdfast inspect` for a gateway\n';

/** What a request asks for; no target makes this fail. */
function targetOf({ url = '' }: IncomingMessage): { path: string; query: URLSearchParams } {
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  return { path, query: new URLSearchParams(mark === -1 ? '' : url.slice(mark)) };
}

const NOWHERE: ReturnType<typeof targetOf> = { path: '', query: new URLSearchParams() };

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(text);
}

function answerJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
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

async function listen(server: ReturnType<typeof httpServer>, port: number): Promise<void> {
  try {
    await listening(server, (done) => server.listen(port, '127.0.0.1', done));
  } catch (error) {
    throw new HoldfastError(
      'CONFIG_INVALID',
      `the inspector cannot listen on port ${port} of 127.0.0.1 (${(error as NodeJS.ErrnoException).code}); give another \`inspect.port\`, or none for a free one`,
      { cause: error },
    );
  }
}
