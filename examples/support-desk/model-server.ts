import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { constants, createBrotliCompress, createGzip } from 'node:zlib';
import { chat } from './model/chat.ts';
import { messages } from './model/messages.ts';
import { responses } from './model/responses.ts';
import { scripted, type Asked, type Turn } from './model/script.ts';
import type { Protocol } from './model/protocol.ts';

export interface ModelServerOptions {
  /** The keys that are let in. Default: `sk-model-server`. */
  readonly keys?: readonly string[];
  /** What the model answers. Default: what the prompt says ({@link scripted}). */
  readonly answer?: (asked: Asked) => Turn;
  /** Milliseconds between two tokens. Default 0. */
  readonly tokenMs?: number;
  /** How answers are compressed. Default: not at all. */
  readonly encoding?: 'gzip' | 'br';
}

/** A request as it came. */
export interface SeenRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The status of the answer. */
  readonly status: number;
}

export interface ModelServer {
  /** `http://127.0.0.1:<port>`; clients of OpenAI's protocol need `/v1` behind it. */
  readonly url: string;
  /** The keys that are let in from now on: others are answered with 401. */
  readonly keys: Set<string>;
  readonly requests: readonly SeenRequest[];
  /** The answers that are being given at the moment. */
  readonly open: number;
  /** Answers the next requests with 429, or another status, and says when to come again. */
  refuse(times: number, retryAfterMs: number, status?: number): void;
  close(): Promise<void>;
}

const protocols: Readonly<Record<string, Protocol>> = {
  '/v1/chat/completions': chat,
  '/v1/responses': responses,
  '/v1/messages': messages,
};

/**
 * Starts a model on this machine that says what it is told to: OpenAI's chat completions and responses, and Anthropic's
 * messages, in one piece and as streams, with tool calls. Nothing of it is random.
 */
export async function startModelServer({
  keys: first = ['sk-model-server'],
  answer = scripted,
  tokenMs = 0,
  encoding,
}: ModelServerOptions = {}): Promise<ModelServer> {
  const keys = new Set(first);
  const requests: SeenRequest[] = [];
  const closing = new AbortController();
  /** How the next requests are refused. */
  const refusals: { readonly status: number; readonly retryAfterMs: number }[] = [];
  let open = 0;

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = new URL(request.url ?? '/', 'http://model').pathname;
    const body = await bodyOf(request);
    const protocol = protocols[path];
    const key = keyOf(request.headers);
    const fail = (status: number, message: string, headers = {}): void => {
      requests.push({ path, headers: request.headers, body, status });
      const error = (protocol ?? chat).error(status, message);
      response
        .writeHead(status, { 'content-type': 'application/json', ...headers })
        .end(JSON.stringify(error));
    };
    if (protocol === undefined || request.method !== 'POST') return fail(404, `There is no ${path} here.`);
    if (!keys.has(key)) return fail(401, 'This key is not known, or not any more.');
    const refusal = refusals.shift();
    if (refusal !== undefined) {
      const { status, retryAfterMs } = refusal;
      const again = { 'retry-after-ms': retryAfterMs, 'retry-after': Math.ceil(retryAfterMs / 1000) };
      return fail(status, status === 429 ? 'Too many requests.' : 'Something went wrong.', again);
    }
    const json = parsed(body);
    if (json === undefined) return fail(400, 'The body is no JSON.');
    const asked = { ...protocol.asked(json), key };
    const turn = answer(asked);
    requests.push({ path, headers: request.headers, body, status: 200 });
    const out = encoded(response, encoding);
    response.setHeader('x-request-id', `request-${requests.length}`);
    if (json['stream'] !== true) {
      response.setHeader('content-type', 'application/json');
      out.end(JSON.stringify(protocol.whole(asked, turn)));
      return;
    }
    response.setHeader('content-type', 'text/event-stream');
    response.flushHeaders();
    const gone = once(response, 'close');
    for (const { text, isToken } of protocol.stream(asked, turn)) {
      if (response.destroyed) return;
      if (isToken && tokenMs > 0) await wait(tokenMs, undefined, { signal: closing.signal });
      if (!out.write(text)) await Promise.race([once(out, 'drain'), gone]);
    }
    if (turn.breaksOff === true) response.destroy();
    else out.end();
  };

  const server = createServer((request, response) => {
    open += 1;
    response.once('close', () => (open -= 1));
    // A client may go away at any time.
    handle(request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    keys,
    requests,
    get open() {
      return open;
    },
    refuse(times, retryAfterMs, status = 429) {
      for (let n = 0; n < times; n++) refusals.push({ status, retryAfterMs });
    },
    async close() {
      closing.abort();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function keyOf({ authorization = '', 'x-api-key': key }: IncomingHttpHeaders): string {
  return typeof key === 'string' ? key : authorization.replace(/^Bearer /, '');
}

function parsed(body: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(body) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** Each token leaves at once, also when it is compressed. */
function encoded(response: ServerResponse, encoding: ModelServerOptions['encoding']): NodeJS.WritableStream {
  if (encoding === undefined) return response;
  response.setHeader('content-encoding', encoding);
  const encoder =
    encoding === 'gzip'
      ? createGzip({ flush: constants.Z_SYNC_FLUSH })
      : createBrotliCompress({ flush: constants.BROTLI_OPERATION_FLUSH });
  encoder.pipe(response);
  return encoder;
}
