import type { IncomingMessage, ServerResponse } from 'node:http';
import { Pool } from 'undici';

/** The connections to the next process; further requests wait for one. */
const CONNECTIONS = 128;

/** Headers of one connection, which are not passed on, and one that undici does not support. */
const OWN_TO_CONNECTION = new Set(
  [
    'connection',
    'keep-alive',
    'proxy-connection',
    'transfer-encoding',
    'upgrade',
    'te',
    'trailer',
    'expect',
  ].concat('http2-settings'),
);

/** Names, to the process that takes over, the ask of another process that a request waits for. */
export const TICKET_HEADER = 'holdfast-put-off-ask';

const OF_BODY_OR_TICKET = new Set([...OWN_TO_CONNECTION, 'content-length', TICKET_HEADER]);

/** A request that cannot be passed on as it came. */
export interface ReadRequest {
  readonly body: string;
  /** The ticket of the ask that it waits for. Default: it is asked in the next process. */
  readonly ticket?: string;
}

/** The process that took over, as seen by one that still has connections of clients. */
export class Successor {
  readonly #pool: Pool;

  constructor(socket: string) {
    this.#pool = new Pool('http://service', {
      socketPath: socket,
      connections: CONNECTIONS,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /**
   * Passes a request on, and its answer back; then the client is to connect anew, to the process itself. `read` is the
   * part of the request that was read already.
   */
  async pass(request: IncomingMessage, response: ServerResponse, read?: ReadRequest): Promise<void> {
    const aborter = new AbortController();
    const gone = (): void => aborter.abort();
    response.once('close', gone);
    try {
      await this.#pool.stream(
        {
          path: request.url ?? '/',
          method: request.method as 'GET',
          headers: read === undefined ? passedOn(request.rawHeaders) : rewritten(request.rawHeaders, read),
          body: read === undefined ? (hasBody(request) ? request : null) : read.body,
          signal: aborter.signal,
        },
        ({ statusCode, headers }) => {
          for (const [name, value] of Object.entries(headers)) {
            if (value !== undefined && !OWN_TO_CONNECTION.has(name)) response.setHeader(name, value);
          }
          response.writeHead(statusCode);
          return response;
        },
      );
    } finally {
      response.removeListener('close', gone);
    }
  }

  /** Requests on their way are answered first. */
  async close(): Promise<void> {
    await this.#pool.close();
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** The body has been read, and is written anew. */
function rewritten(raw: readonly string[], { body, ticket }: ReadRequest): string[] {
  const headers = passedOn(raw, OF_BODY_OR_TICKET);
  if (ticket !== undefined) headers.push(TICKET_HEADER, ticket);
  if (body !== '') headers.push('content-length', String(Buffer.byteLength(body)));
  return headers;
}

function passedOn(raw: readonly string[], leftOut: ReadonlySet<string> = OWN_TO_CONNECTION): string[] {
  const headers: string[] = [];
  for (let n = 0; n < raw.length; n += 2) {
    const [name = '', value = ''] = [raw[n], raw[n + 1]];
    if (!leftOut.has(name.toLowerCase())) headers.push(name, value);
  }
  return headers;
}
