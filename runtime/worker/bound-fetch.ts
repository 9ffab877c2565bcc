import { checkCall, type Rule, type Rules } from '../base/call-check.ts';
import { HoldfastError } from '../base/errors.ts';
import type { SecretHandle } from '../secrets/secret-handle.ts';
import { described, tooManyRequests } from './bound-response.ts';
import { fetchError } from './fetch-error.ts';
import { formBody } from './form-body.ts';
import { readAhead } from './request-body.ts';
import { aLabel } from './secret-logic.ts';
import { threadState, type HostBridge } from './thread-state.ts';

export interface BoundFetchOptions {
  /**
   * Milliseconds for which the service may be silent, before its answer begins and within it, and for which the request may
   * wait for a connection. Default, and at most: the `idleTimeoutMs` of the grant.
   */
  readonly idleTimeoutMs?: number | undefined;
}

const idle: Rule = {
  what: 'a whole number of milliseconds, and not below 0',
  is: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
};
const ofOptions: Rules<BoundFetchOptions> = { idleTimeoutMs: idle };

/**
 * Makes a `fetch` whose requests the host sends, with a granted secret in the header that the grant names: for every
 * client library that takes a `fetch`. The secret never enters the thread, and the credential that the library sets
 * itself is left out. Bodies stream in both directions. The grant has the mode `inject`; its `hosts`, `methods` and
 * `paths` hold, and a model's API needs `methods: ['POST']`.
 *
 * Made in a turn, the function belongs to that instance for ever. Made elsewhere, for example when a module is loaded,
 * each of its requests belongs to the instance in whose turn, or in what that began, it is made. A queue that several
 * instances share mixes them up: make one client for each then.
 *
 * Rejects with the signal's reason when that aborts, with a `TypeError` whose `cause` is a `HoldfastError` for what may go
 * well the next time (`FETCH_FAILED`, `SECRET_UNAVAILABLE`), and with a `HoldfastError` for all else: `SECRET_NOT_GRANTED`,
 * `SECRET_NOT_FOUND`, `SECRET_DENIED`, `MESSAGE_TOO_LARGE`, `AGENT_STOPPED`. A body that is cut off ends in the same
 * ways. A request that the grant's `rate` does not let begin has an answer with the status 429 and `retry-after`.
 *
 * @example
 * ```ts
 * const model = createOpenAI({ apiKey: 'held by the host', fetch: boundFetch('openai') });
 * ```
 */
export function boundFetch(label: string | SecretHandle, options: BoundFetchOptions = {}): typeof fetch {
  const { idleTimeoutMs } = checkCall<BoundFetchOptions>(
    'boundFetch()',
    { label: [label, aLabel] },
    options,
    ofOptions,
  );
  const state = threadState();
  const maker = state.current;
  if (maker === undefined) state.isBound = true;
  const bound = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const given = init?.body instanceof FormData ? formBody(init.body) : init?.body;
    const request = new Request(input, {
      ...init,
      ...(given !== undefined && { body: given }),
      signal: null,
    });
    const signal = init?.signal === undefined && input instanceof Request ? input.signal : init?.signal;
    signal?.throwIfAborted();
    if (request.integrity !== '') throw new TypeError('boundFetch checks no `integrity`; leave it out.');
    const bridge = maker ?? caller();
    const { method, url, redirect } = request;
    const body = request.body === null ? undefined : await readAhead(request.body, signal ?? undefined);
    const length = body !== undefined && 'rest' in body ? lengthOf(given, request) : undefined;
    const headers = headersOf(request);
    const asked = { label, url, method, headers, redirect, length, idleTimeoutMs };
    try {
      const { head, body: stream = null } = await bridge.openStream(asked, body, signal ?? undefined);
      const { status, headers: shown } = head;
      return described(new Response(stream, { status, headers: shown }), head);
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'SECRET_RATE_LIMITED') {
        return tooManyRequests(error, url);
      }
      throw fetchError(error, 'fetch failed');
    }
  };
  // Libraries that find it there do not try a request to find out what this fetch can do.
  return Object.assign(bound, { Response });
}

/** The instance that makes a request: the one whose turn it is, or whose promise or callback runs. */
function caller(): HostBridge {
  const state = threadState();
  const bridge = state.current ?? state.origin?.getStore()?.bridge;
  if (bridge !== undefined) return bridge;
  throw new HoldfastError(
    'SECRET_NOT_GRANTED',
    'boundFetch was called where no Holdfast agent runs: make it in a turn of the agent that is to use it, or give the ' +
      'library another fetch in tests.',
  );
}

/** As Node's own fetch sends them, where the caller says nothing else. */
function headersOf({ headers }: Request): Record<string, string> {
  return { accept: '*/*', 'user-agent': 'node', ...Object.fromEntries(headers) };
}

/** The bytes of a body that is sent in parts, where they are known: many services take no body of unknown length. */
function lengthOf(body: unknown, { headers }: Request): number | undefined {
  if (body instanceof Blob) return body.size;
  const written = headers.get('content-length');
  return written !== null && /^\d{1,15}$/.test(written) ? Number(written) : undefined;
}
