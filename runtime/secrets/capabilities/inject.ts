import type { InjectRules } from '../../config/resolve.ts';
import { HoldfastError } from '../../base/errors.ts';
import { createRateLimit, type RateLimit } from '../../base/rate-limit.ts';
import { failed, rateLimited } from './fetch-failure.ts';
import { wholeAnswer, type WholeAnswer } from './fetch-answer.ts';
import { follow, type Followed, type Outgoing } from './follow.ts';
import type { GrantedValue } from './granted-value.ts';
import { checkRequest, type CheckedRequest } from './inject-request.ts';
import { openAnswer, type OpenAnswer } from './open-answer.ts';
import { openRoute, type Route, type RouteOptions } from './route.ts';
import { bodyTooLarge, checkStreamRequest, type StreamRequest } from './stream-request.ts';

/** Sends requests that carry a secret, where and how a grant allows it. */
export interface Injector {
  /**
   * Checks a request of `secretFetch` against the rules of its grant, and counts it.
   * @throws {HoldfastError} `SECRET_DENIED`, `MESSAGE_TOO_LARGE` or `SECRET_RATE_LIMITED`
   */
  check(asked: unknown, rules: InjectRules): CheckedRequest;
  /** Checks and counts a request of `boundFetch`, in the same way. */
  checkStream(asked: unknown, rules: InjectRules): StreamRequest;
  /**
   * Sends the request with the secret and resolves with the answer, without the secret. Follows at most three
   * redirects, none of them to another origin or against the rules; an answer with any other redirect is returned as
   * it came. Overwrites the bytes of `held`. Rejects with `SECRET_DENIED`, `SECRET_UNAVAILABLE` (a value that no
   * header can hold), `FETCH_FAILED`, `MESSAGE_TOO_LARGE`, or the signal's reason.
   */
  send(
    request: CheckedRequest,
    rules: InjectRules,
    held: GrantedValue,
    signal: AbortSignal,
  ): Promise<WholeAnswer>;
  /**
   * Sends the request like `send`, and resolves with the head of the answer; the body follows as it is read, and ends
   * with the same errors. `upload` is the body of the request where that comes in parts.
   */
  open(
    request: StreamRequest,
    rules: InjectRules,
    held: GrantedValue,
    signal: AbortSignal,
    upload?: AsyncIterable<Uint8Array>,
  ): Promise<OpenAnswer>;
  /** Closes all connections and forgets all secrets. */
  close(): Promise<void>;
}

/** Milliseconds of silence of `secretFetch`, which has 30 s for everything. */
const FETCH_IDLE_MS = 30_000;

export function createInjector(options: RouteOptions): Injector {
  const { now } = options;
  const limits = new WeakMap<InjectRules, RateLimit>();
  const routes = new Map<InjectRules, Promise<Route>>();

  function routeOf(rules: InjectRules): Promise<Route> {
    const route = routes.get(rules) ?? openRoute(rules, options);
    routes.set(rules, route);
    return route;
  }

  function count(rules: InjectRules): void {
    if (rules.rate === undefined) return;
    const limit = limits.get(rules) ?? createRateLimit(rules.rate);
    limits.set(rules, limit);
    const wait = limit.admit(now());
    if (wait > 0) throw rateLimited(wait);
  }

  /** Sends the request with the secret, and overwrites the bytes of that. */
  async function begin(
    request: Outgoing,
    rules: InjectRules,
    held: GrantedValue,
    signal: AbortSignal,
  ): Promise<{ readonly followed: Followed; readonly route: Route }> {
    try {
      const route = await routeOf(rules);
      signal.throwIfAborted();
      route.scrubber.learn('secret', held.versionId, held.bytes);
      route.scrubber.hold('secret', [held.versionId]);
      const credential = rules.format.replace('{}', () => headerText(held.bytes));
      const headers = { ...request.headers, [rules.header.toLowerCase()]: credential };
      return { followed: await follow(route, { ...request, headers }, rules, signal), route };
    } finally {
      held.bytes.fill(0);
    }
  }

  return {
    check(asked, rules) {
      const request = checkRequest(asked, rules);
      count(rules);
      return request;
    },

    checkStream(asked, rules) {
      const request = checkStreamRequest(asked, rules);
      count(rules);
      return request;
    },

    async send(request, rules, held, signal) {
      try {
        const outgoing = { ...request, redirect: 'follow', idleTimeoutMs: FETCH_IDLE_MS } as const;
        const { followed, route } = await begin(outgoing, rules, held, signal);
        return await wholeAnswer(followed, request, rules.maxResponseBytes, route.scrubber);
      } catch (error) {
        throw failed(error, signal);
      }
    },

    async open(request, rules, held, signal, upload) {
      try {
        const { length } = request;
        const headers =
          upload === undefined || length === undefined
            ? request.headers
            : { ...request.headers, 'content-length': String(length) };
        const parts = upload && bounded(upload, rules.maxRequestBytes);
        const outgoing = { ...request, headers, body: request.body ?? parts };
        const { followed, route } = await begin(outgoing, rules, held, signal);
        return openAnswer(followed, route.scrubber, request.method, rules, signal);
      } catch (error) {
        throw failed(error, signal);
      }
    },

    async close() {
      const open = await Promise.allSettled(routes.values());
      routes.clear();
      await Promise.all(
        open.map(async (route) => {
          if (route.status === 'rejected') return;
          route.value.scrubber.close();
          await route.value.agent.destroy();
        }),
      );
    },
  };
}

/** The body of a request, which fails when it has more bytes than the grant allows. */
async function* bounded(parts: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Uint8Array, void> {
  let bytes = 0;
  for await (const part of parts) {
    bytes += part.byteLength;
    if (bytes > most) throw bodyTooLarge(most);
    yield part;
  }
}

/** The value as a header has it: each byte a character. A string cannot be wiped. */
function headerText(bytes: Buffer): string {
  const text = bytes.toString('latin1');
  if (text !== '' && /^[\t\x20-\x7e\x80-\xff]*$/.test(text)) return text;
  throw new HoldfastError(
    'SECRET_UNAVAILABLE',
    'The secret cannot stand in a header: it is empty, or has a line break or another control character. Store it without.',
  );
}
