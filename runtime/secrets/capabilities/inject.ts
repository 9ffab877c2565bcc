import { lookup as systemLookup, type LookupAddress, type LookupAllOptions } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, type ZlibOptions } from 'node:zlib';
import type { Agent, buildConnector } from 'undici';
import type { InjectRules } from '../../config/resolve.ts';
import { HoldfastError } from '../../base/errors.ts';
import { addressGuard, loopbackGuard, type AddressGuard } from './address-guard.ts';
import type { GrantedValue } from './granted-value.ts';
import { checkRequest, isAllowedUrl, type CheckedRequest } from './inject-request.ts';
import { createRateLimit, type RateLimit } from '../../base/rate-limit.ts';
import { createScrubber, type Scrubber } from '../scrub/scrubber.ts';

/** The answer of a service, without the secret. */
export interface FetchAnswer {
  readonly status: number;
  /** Names in lower case; several values of one name are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** Text as UTF-8, or bytes when the request wants `as: 'bytes'`. */
  readonly body: string | Uint8Array;
}

/** Finds the addresses of a host. */
export type LookupAll = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export interface InjectorOptions {
  readonly now: () => number;
  /** Default: the system's. */
  readonly lookup?: LookupAll;
  /** Further certificates that are trusted, in PEM. For tests. */
  readonly ca?: string;
}

/** Sends requests that carry a secret, where and how a grant allows it. */
export interface Injector {
  /**
   * Checks a request against the rules of its grant, and counts it.
   * @throws {HoldfastError} `SECRET_DENIED`, `MESSAGE_TOO_LARGE` or `SECRET_RATE_LIMITED`
   */
  check(asked: unknown, rules: InjectRules): CheckedRequest;
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
  ): Promise<FetchAnswer>;
  /** Closes all connections and forgets all secrets. */
  close(): Promise<void>;
}

/** Milliseconds until a connection must stand. */
const CONNECT_MS = 10_000;
/** The most connections to one host at one time, for one grant. */
const CONNECTIONS = 16;
const REDIRECTS = 3;
/** The bytes that Node sends in headers at most: a value that was sent is searched for as a whole. */
const LONGEST_HEADER = 16 * 1024;

/** Headers that set a credential for later requests, which is not for the agent. */
const KEPT_BACK = new Set(['set-cookie', 'set-cookie2', 'connection', 'keep-alive', 'transfer-encoding']);

interface Route {
  readonly agent: Agent;
  /** Knows the versions of the secret that were sent on this route. */
  readonly scrubber: Scrubber;
}

export function createInjector({ now, lookup = systemLookup, ca }: InjectorOptions): Injector {
  const limits = new WeakMap<InjectRules, RateLimit>();
  /** One for each grant, because a connection of one grant is not for another. */
  const routes = new Map<InjectRules, Promise<Route>>();

  function routeOf(rules: InjectRules): Promise<Route> {
    const known = routes.get(rules);
    if (known !== undefined) return known;
    const made = (async () => {
      const undici = await import('undici');
      const guard = addressGuard(rules.privateAddresses);
      const connectors = {
        'https:': guarded(undici.buildConnector, guard),
        'http:': guarded(undici.buildConnector, loopbackGuard),
      };
      const agent = new undici.Agent({
        connect: (options, callback) =>
          connectors[options.protocol === 'http:' ? 'http:' : 'https:'](options, callback),
        connections: CONNECTIONS,
        maxHeaderSize: 16_384,
      });
      return { agent, scrubber: createScrubber({ now }, { inPacked: true, head: LONGEST_HEADER }) };
    })();
    routes.set(rules, made);
    return made;
  }

  /** Connects only to addresses that the guard allows, and to the very address that it has checked. */
  function guarded(build: typeof buildConnector, guard: AddressGuard): buildConnector.connector {
    const checked: LookupFunction = (hostname, options, callback) => {
      lookup(hostname, { ...options, all: true }, (error, addresses) => {
        // A refused address among others is no accident.
        const refused = error ?? (addresses.every(({ address }) => guard(address)) ? null : addressRefused());
        if (refused !== null) return callback(refused, []);
        const [first] = addresses;
        if (options.all === true || first === undefined) callback(null, addresses);
        else callback(null, first.address, first.family);
      });
    };
    const connect = build({ timeout: CONNECT_MS, lookup: checked, ...(ca !== undefined && { ca }) });
    return (options, callback) => {
      const host = options.hostname.replace(/^\[(.*)\]$/, '$1');
      // An address needs no lookup, so the guard checks it here.
      if (isIP(host) !== 0 && !guard(host)) return callback(addressRefused(), null);
      connect({ ...options, hostname: host }, callback);
    };
  }

  return {
    check(asked, rules) {
      const request = checkRequest(asked, rules);
      if (rules.rate === undefined) return request;
      const limit = limits.get(rules) ?? createRateLimit(rules.rate);
      limits.set(rules, limit);
      const wait = limit.admit(now());
      if (wait > 0) throw rateLimited(wait);
      return request;
    },

    async send(request, rules, held, signal) {
      try {
        const { agent, scrubber } = await routeOf(rules);
        signal.throwIfAborted();
        scrubber.learn('secret', held.versionId, held.bytes);
        scrubber.hold('secret', [held.versionId]);
        const credential = rules.format.replace('{}', () => headerText(held.bytes));
        let { url } = request;
        for (let redirects = 0; ; redirects++) {
          const answer = await exchange(agent, { ...request, url }, { rules, credential, signal });
          const next = redirects < REDIRECTS ? redirectOf(answer, request, url, rules) : undefined;
          if (next === undefined) return shown(answer, request.as, scrubber);
          url = next;
        }
      } catch (error) {
        throw failed(error, signal);
      } finally {
        held.bytes.fill(0);
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

/** The value as a header has it: each byte a character. A string cannot be wiped. */
function headerText(bytes: Buffer): string {
  const text = bytes.toString('latin1');
  if (text !== '' && /^[\t\x20-\x7e\x80-\xff]*$/.test(text)) return text;
  throw new HoldfastError(
    'SECRET_UNAVAILABLE',
    'The secret cannot stand in a header: it is empty, or has a line break or another control character. Store it without.',
  );
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

interface Exchange {
  readonly rules: InjectRules;
  readonly credential: string;
  readonly signal: AbortSignal;
}

async function exchange(
  agent: Agent,
  { url, method, headers, body }: CheckedRequest,
  { rules, credential, signal }: Exchange,
): Promise<Answer> {
  const response = await agent.request({
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method,
    headers: { ...headers, [rules.header.toLowerCase()]: credential, 'accept-encoding': 'gzip, deflate, br' },
    body: body ?? null,
    signal,
  });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    size += chunk.length;
    // Leaving the loop ends the connection.
    if (size > rules.maxResponseBytes) throw tooLarge(rules.maxResponseBytes);
    chunks.push(chunk);
  }
  const seen = Object.entries(response.headers).map(([name, value]): [string, string] => [
    name,
    Array.isArray(value) ? value.join(', ') : (value ?? ''),
  ]);
  const received = Object.fromEntries(seen.filter(([name]) => !KEPT_BACK.has(name)));
  const plain = await decoded(Buffer.concat(chunks), received, rules.maxResponseBytes);
  return { status: response.statusCode, ...plain };
}

type Decoder = (bytes: Buffer, options: ZlibOptions) => Promise<Buffer>;
const DECODERS: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ['gzip', promisify(gunzip)],
  ['x-gzip', promisify(gunzip)],
  ['deflate', promisify(inflate)],
  ['br', promisify(brotliDecompress)],
]);

/** The body as it was before compression, in which a secret could not be found. */
async function decoded(
  body: Buffer,
  headers: Readonly<Record<string, string>>,
  most: number,
): Promise<Pick<Answer, 'headers' | 'body'>> {
  const { 'content-encoding': encoding = 'identity', 'content-length': length, ...others } = headers;
  if (encoding === 'identity' || body.length === 0) {
    return { headers: { ...others, ...(length !== undefined && { 'content-length': length }) }, body };
  }
  const decode = DECODERS.get(encoding.toLowerCase());
  if (decode === undefined) {
    throw new HoldfastError(
      'SECRET_DENIED',
      'The answer was kept back: it is encoded in a way in which no secret can be found. Have the service send it plain.',
    );
  }
  try {
    return { headers: others, body: await decode(body, { maxOutputLength: most }) };
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(most);
    throw error;
  }
}

/** The target of a redirect, when the same rules allow it. Only a request without a body is sent again. */
function redirectOf(
  answer: Answer,
  { method }: CheckedRequest,
  from: URL,
  rules: InjectRules,
): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(answer.status) || !/^(?:GET|HEAD)$/.test(method)) return undefined;
  const { location } = answer.headers;
  const to = location === undefined ? null : URL.parse(location, from.href);
  if (to === null || to.origin !== from.origin || !isAllowedUrl(to, rules)) return undefined;
  return to;
}

/** The answer as the agent may see it. */
function shown({ status, headers, body }: Answer, as: CheckedRequest['as'], scrubber: Scrubber): FetchAnswer {
  const safe = Object.entries(headers).map(([name, value]) => [
    scrubber.scrubText(name),
    scrubber.scrubText(value),
  ]);
  // Each byte becomes a character, so that the bytes of the secret are found in whatever encoding a text has.
  const text = body.toString('latin1');
  const scrubbed = scrubber.scrubText(text);
  const bytes = scrubbed === text ? body : Buffer.from(scrubbed, 'latin1');
  return {
    status,
    headers: Object.fromEntries(safe) as Record<string, string>,
    body: as === 'text' ? bytes.toString('utf8') : Uint8Array.from(bytes),
  };
}

/** An error of Holdfast's own, because the client's error may quote what it was given. */
function failed(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof HoldfastError) return error;
  const { code, cause } = error as { code?: string; cause?: { code?: string } };
  const refused = [error, cause].find((one) => one instanceof HoldfastError);
  if (refused !== undefined) return refused;
  const why = [code, cause?.code].find((one) => /^[A-Z][A-Z0-9_]{2,60}$/.test(one ?? ''));
  return new HoldfastError(
    'FETCH_FAILED',
    `The request of secretFetch failed (${why ?? 'no connection'}). Check the host, its certificate ` +
      'and the network, and try again if that is safe.',
  );
}

function addressRefused(): HoldfastError {
  return new HoldfastError(
    'SECRET_DENIED',
    'The request was not sent: its host leads to an address that is not public. If that is meant, list the address under ' +
      '`privateAddresses` of the grant.',
  );
}

function tooLarge(most: number): HoldfastError {
  return new HoldfastError(
    'MESSAGE_TOO_LARGE',
    `The answer has a body of more than ${most} bytes. Ask for less, or raise \`maxResponseBytes\` of the grant.`,
  );
}

function rateLimited(wait: number): HoldfastError {
  return new HoldfastError(
    'SECRET_RATE_LIMITED',
    `The grant's \`rate\` lets no more requests begin for ${Math.ceil(wait)} ms. Wait, or raise it.`,
  );
}
