import { HoldfastError } from '../../base/errors.ts';
import type { InjectRules } from '../../config/resolve.ts';
import { acceptedEncodings } from './decoded-body.ts';
import { Exchange, type RawHead } from './exchange.ts';
import { tooManyWait, waitedTooLong } from './fetch-failure.ts';
import { isAllowedUrl } from './inject-request.ts';
import type { Route } from './route.ts';

/** A request as it goes out. */
export interface Outgoing {
  readonly url: URL;
  readonly method: string;
  /** With the secret, and names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | AsyncIterable<Uint8Array> | undefined;
  readonly redirect: 'follow' | 'manual' | 'error';
  /** Milliseconds to wait for a connection, and of silence, before the head of the answer and within its body. 0: no limit. */
  readonly idleTimeoutMs: number;
}

/** The answer that no redirect follows. */
export interface Followed extends RawHead {
  readonly url: URL;
  readonly redirected: boolean;
  readonly exchange: Exchange;
}

const REDIRECTS = 3;

/** What a service says that has closed an idle connection just as a request was on its way to it. */
const CLOSED_BEFORE = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/** Sends the request, and once more to where it is redirected if the same rules allow that. */
export async function follow(
  route: Route,
  request: Outgoing,
  rules: InjectRules,
  signal: AbortSignal,
): Promise<Followed> {
  let { url } = request;
  for (let redirects = 0; ; redirects++) {
    const exchange = await answered(route, { ...request, url }, signal);
    const head = await exchange.head;
    if (request.redirect === 'error' && isRedirect(head)) {
      exchange.discard();
      throw redirected();
    }
    const next = redirects < REDIRECTS ? redirectOf(head, request, url, rules) : undefined;
    if (next === undefined) return { ...head, url, redirected: redirects > 0, exchange };
    exchange.discard();
    url = next;
  }
}

async function answered(route: Route, request: Outgoing, signal: AbortSignal): Promise<Exchange> {
  const { method, body } = request;
  const exchange = await inTurn(route, request, signal);
  try {
    await exchange.head;
    return exchange;
  } catch (error) {
    const { code } = (error ?? {}) as { code?: string };
    // Nothing of an answer came, and such a request changes nothing.
    const isSafe = (method === 'GET' || method === 'HEAD') && body === undefined;
    if (!isSafe || signal.aborted || !CLOSED_BEFORE.has(code ?? '')) throw error;
    return inTurn(route, request, signal);
  }
}

/** What a request takes while it waits, beside its body. */
const REQUEST_BYTES = 1024;

/** Sends the request as soon as a connection is free for it. */
function inTurn(route: Route, request: Outgoing, signal: AbortSignal): Promise<Exchange> {
  const { url, body } = request;
  const turns = route.turns(url.origin);
  const isHere = typeof body === 'string' || body instanceof Uint8Array;
  const bytes = REQUEST_BYTES + (isHere ? body.length : 0);
  if (turns.isFull(bytes)) throw tooManyWait();
  const sent = Promise.withResolvers<Exchange>();
  const run = (): Promise<void> => {
    const exchange = send(route, request, signal);
    sent.resolve(exchange);
    return exchange.over;
  };
  if (!turns.isBusy || request.idleTimeoutMs === 0) turns.run(bytes, signal, run).catch(sent.reject);
  else withinTime(request.idleTimeoutMs, signal, sent, (both) => turns.run(bytes, both, run));
  return sent.promise;
}

/** Has a request wait for its turn, which is to come within its time; once it is sent, that is the business of the client. */
function withinTime(
  ms: number,
  signal: AbortSignal,
  { promise, reject }: PromiseWithResolvers<Exchange>,
  wait: (signal: AbortSignal) => Promise<void>,
): void {
  const tooLong = new AbortController();
  const timer = setTimeout(() => tooLong.abort(waitedTooLong(ms)), ms);
  const sent = (): void => clearTimeout(timer);
  promise.then(sent, sent);
  wait(AbortSignal.any([signal, tooLong.signal])).catch(reject);
}

function send({ agent, waiting }: Route, request: Outgoing, signal: AbortSignal): Exchange {
  const { url, method, headers, body = null, idleTimeoutMs } = request;
  const exchange = new Exchange(signal, waiting);
  agent.dispatch(
    {
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method,
      headers: { ...headers, 'accept-encoding': acceptedEncodings() },
      body: body as string,
      headersTimeout: idleTimeoutMs,
      bodyTimeout: idleTimeoutMs,
    },
    exchange,
  );
  return exchange;
}

function isRedirect({ status, headers }: RawHead): boolean {
  return [301, 302, 303, 307, 308].includes(status) && headers['location'] !== undefined;
}

/** The target of a redirect, when the same rules allow it. Only a request without a body is sent again. */
function redirectOf(
  head: RawHead,
  { method, redirect }: Outgoing,
  from: URL,
  rules: InjectRules,
): URL | undefined {
  if (redirect !== 'follow' || !isRedirect(head) || !/^(?:GET|HEAD)$/.test(method)) return undefined;
  const to = URL.parse(head.headers['location'] as string, from.href);
  if (to === null || to.origin !== from.origin || !isAllowedUrl(to, rules)) return undefined;
  to.hash = '';
  return to;
}

function redirected(): HoldfastError {
  return new HoldfastError(
    'FETCH_FAILED',
    'The request failed: the service redirects it, and `redirect` is "error". Send it to where the service is.',
  );
}
