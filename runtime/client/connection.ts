import { Deadline } from './deadline.ts';
import { backoffMs } from './backoff.ts';
import { GatewayError } from './gateway-error.ts';

/** A token, or what gives one: it is called for each request, so that a token may be renewed. */
export type TokenSource = string | (() => string | Promise<string>);

/** Where a gateway is, and who calls. */
export interface ConnectOptions {
  /** The address of the gateway, such as `https://agents.example.com`; a path before `/v1` is kept. */
  readonly url: string | URL;
  /**
   * The token of the caller, or a function that gives it. After a 401 a function is asked once more. Default: none, which
   * does for streams with `streamToken`.
   */
  readonly token?: TokenSource;
  /**
   * Gives a stream token for an instance (`POST …/stream-token`), for pages that have no token of their own. It is called
   * for each connection of a stream, because a stream token works once. Default: streams use `token`.
   */
  readonly streamToken?: (address: string) => string | Promise<string>;
  /** What makes requests. Default: the `fetch` of the browser, or of Node. */
  readonly fetch?: typeof globalThis.fetch;
}

/** A request, of which each attempt is the same. */
export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
}

/** Milliseconds after a deadline that the gateway keeps itself, so that its own answer comes first. */
const GRACE_MS = 1000;

/** One gateway, as its clients see it. */
export class Connection {
  readonly options: ConnectOptions;
  readonly #base: string;

  /** @throws {TypeError} When the address is none */
  constructor(options: ConnectOptions) {
    this.options = options;
    const { origin, pathname } = new URL(options.url);
    this.#base = origin + pathname.replace(/\/+$/, '');
  }

  /**
   * Sends a request and resolves with the JSON of the answer. It is sent again, after a while, as long as that may help and
   * there is time: the caller sees to it that this does nothing twice.
   *
   * @throws {GatewayError} The last failure
   */
  async json(call: Call, timeoutMs: number, signal?: AbortSignal): Promise<object> {
    const late = (): Error =>
      new GatewayError('REQUEST_TIMEOUT', `no answer within ${timeoutMs} ms`, { retryable: true });
    const deadline = new Deadline(timeoutMs + GRACE_MS, late, signal);
    try {
      for (let n = 0; ; n += 1) {
        try {
          return await bodyOf(await this.open(call, deadline.signal), deadline.signal);
        } catch (error) {
          const isOver = !(error instanceof GatewayError) || deadline.signal.aborted;
          const waitMs = isOver ? Infinity : waitAfter(error, n);
          if (waitMs >= deadline.leftMs - GRACE_MS) throw error;
          await deadline.wait(waitMs);
        }
      }
    } finally {
      deadline.dispose();
    }
  }

  /**
   * Sends a request once, and resolves with an answer that is no failure. `signal` ends its body too.
   *
   * @throws {GatewayError} The failure
   */
  async open(call: Call, signal: AbortSignal, streamToken?: string): Promise<Response> {
    const response = await this.#answer(call, signal, streamToken);
    if (!response.ok) throw await failureOf(response, signal);
    return response;
  }

  async #answer(call: Call, signal: AbortSignal, streamToken?: string): Promise<Response> {
    const response = await this.#sent(call, signal, streamToken);
    const isToRenew = streamToken === undefined && typeof this.options.token === 'function';
    if (response.status !== 401 || !isToRenew) return response;
    await response.body?.cancel();
    return this.#sent(call, signal);
  }

  async #sent(
    { method, path, query = {}, headers = {}, body }: Call,
    signal: AbortSignal,
    streamToken?: string,
  ) {
    const { fetch = globalThis.fetch, token } = this.options;
    const bearer = streamToken === undefined && token !== undefined ? await tokenOf(token) : undefined;
    signal.throwIfAborted();
    const search = new URLSearchParams(given({ ...query, token: streamToken })).toString();
    try {
      return await fetch(`${this.#base}${path}${search === '' ? '' : `?${search}`}`, {
        method,
        headers: given({
          ...headers,
          authorization: bearer === undefined ? undefined : `Bearer ${bearer}`,
          'content-type': body === undefined ? undefined : 'application/json',
        }),
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal,
        cache: 'no-store',
        credentials: 'omit',
        // A gateway never leads elsewhere, and a token goes nowhere else.
        redirect: 'error',
      });
    } catch (cause) {
      throw reasonOf(signal, cause, 'the gateway cannot be reached');
    }
  }
}

/** The error of a broken request: the reason of the signal, if that ended it. */
export function reasonOf(signal: AbortSignal, cause: unknown, message: string): unknown {
  if (signal.aborted) return signal.reason;
  return new GatewayError('FETCH_FAILED', message, { cause, retryable: true });
}

/**
 * A token of a source that may fail for a while, as a server does that gives it.
 *
 * @throws {GatewayError} `FETCH_FAILED`
 */
export async function tokenOf(source: TokenSource): Promise<string> {
  try {
    return typeof source === 'function' ? await source() : source;
  } catch (cause) {
    throw new GatewayError('FETCH_FAILED', 'the function that gives the token failed', {
      cause,
      retryable: true,
    });
  }
}

function given(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** The body of an answer of a gateway: always an object, where there is one. */
async function bodyOf(response: Response, signal: AbortSignal): Promise<object> {
  let text: string;
  try {
    text = await response.text();
  } catch (cause) {
    throw reasonOf(signal, cause, 'the answer broke off');
  }
  const body = response.status === 204 ? {} : jsonIn(text);
  if (typeof body !== 'object' || body === null) throw notOurs(response);
  return body;
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function failureOf(response: Response, signal: AbortSignal): Promise<GatewayError> {
  const { status, headers } = response;
  const after = Number(headers.get('retry-after') ?? Number.NaN);
  const retryAfterMs = Number.isFinite(after) ? after * 1000 : undefined;
  // A proxy may answer in words of its own.
  const found = await bodyOf(response, signal).catch((error: unknown) => {
    if (signal.aborted) throw error;
  });
  const { code, message, retryable, issues } =
    (found as { error?: Partial<GatewayError> } | undefined)?.error ?? {};
  if (typeof code !== 'string' || typeof message !== 'string') return notOurs(response, retryAfterMs);
  // An answer that was kept stays what it is.
  const isReplay = headers.has('idempotent-replayed');
  return new GatewayError(code, message, {
    status,
    retryable: retryable === true,
    retryAfterMs,
    issues,
    isReplay,
  });
}

/** The failure of something on the way, such as a proxy: what it is over soon it says with its status. */
function notOurs({ status }: Response, retryAfterMs?: number): GatewayError {
  const retryable = status === 429 || status === 502 || status === 503 || status === 504;
  const message = `something that is no gateway answers at this address, with status ${status}; check the url`;
  return new GatewayError('FETCH_FAILED', message, { status, retryable, retryAfterMs });
}

/** Milliseconds before the next attempt; Infinity when another makes no sense. */
export function waitAfter(error: GatewayError, n: number): number {
  if (!error.retryable || error.isReplay) return Infinity;
  // The time that the gateway waited was the wait.
  if (error.status === 504 && error.code !== 'FETCH_FAILED') return 0;
  return Math.max(error.retryAfterMs ?? 0, backoffMs(n));
}
