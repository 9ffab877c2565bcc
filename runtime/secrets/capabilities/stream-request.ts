import { isFramingHeader } from '../../config/grant-checks.ts';
import type { InjectRules } from '../../config/resolve.ts';
import { HoldfastError } from '../../base/errors.ts';
import { checkRequest, type CheckedRequest } from './inject-request.ts';

/** A request of `boundFetch` that its grant allows, complete but for the secret and a body that comes in parts. */
export interface StreamRequest extends Omit<CheckedRequest, 'as' | 'body'> {
  /** The whole body; undefined when there is none, or when it comes in parts. */
  readonly body: Uint8Array | undefined;
  /** The bytes of a body that comes in parts, where they are known beforehand. */
  readonly length: number | undefined;
  readonly redirect: 'follow' | 'manual' | 'error';
  /** Milliseconds of silence after which the request has failed; 0: never. */
  readonly idleTimeoutMs: number;
}

/**
 * The headers that client libraries set by themselves: the credential that they were made with, which is made up here,
 * and what belongs to the connection. They are left out, and nothing else changes the meaning of a request by it.
 */
const LEFT_OUT = new Set([
  'accept-encoding',
  'api-key',
  'authorization',
  'cookie',
  'x-api-key',
  'x-goog-api-key',
]);

/**
 * Checks a request of `boundFetch` against the rules of its grant.
 *
 * @throws {HoldfastError} `SECRET_DENIED` with everything that is wrong, or `MESSAGE_TOO_LARGE`
 */
export function checkStreamRequest(asked: unknown, rules: InjectRules): StreamRequest {
  const request = (asked ?? {}) as Readonly<Record<string, unknown>>;
  const { url, method, body, length, redirect = 'follow', idleTimeoutMs } = request;
  if (body !== undefined && !(body instanceof Uint8Array)) throw malformed('its body is not bytes');
  if (redirect !== 'follow' && redirect !== 'manual' && redirect !== 'error') {
    throw malformed('`redirect` is not "follow", "manual" or "error"');
  }
  if (!isCountOrNone(length)) throw malformed('the length of its body is not a number of bytes');
  if (!isCountOrNone(idleTimeoutMs)) throw malformed('`idleTimeoutMs` is not a number of milliseconds');
  const headers = ownHeaders(request['headers'], rules);
  const checked = checkRequest({ url, method, headers, body }, rules, rules.maxRequestBytes);
  if (length !== undefined && length > rules.maxRequestBytes) throw bodyTooLarge(rules.maxRequestBytes);
  return {
    url: checked.url,
    method: checked.method,
    headers: checked.headers,
    body,
    length,
    redirect,
    idleTimeoutMs: idleFor(idleTimeoutMs, rules.idleTimeoutMs),
  };
}

/** The error of a body that has more bytes than the grant allows. */
export function bodyTooLarge(most: number): HoldfastError {
  return new HoldfastError(
    'MESSAGE_TOO_LARGE',
    `The request was not sent as a whole: its body has more than ${most} bytes. Send it in parts, or raise ` +
      '`maxRequestBytes` of the grant.',
  );
}

/** The agent may wait for less time than the grant allows, and not for more; 0 stands for no end. */
function idleFor(asked: number | undefined, most: number): number {
  if (asked === undefined || asked === 0) return most;
  return most === 0 ? asked : Math.min(asked, most);
}

function ownHeaders(asked: unknown, rules: InjectRules): unknown {
  if (typeof asked !== 'object' || asked === null || Array.isArray(asked)) return asked;
  const carrier = rules.header.toLowerCase();
  return Object.fromEntries(
    Object.entries(asked).filter(([written]) => {
      const name = written.toLowerCase();
      return name !== carrier && !LEFT_OUT.has(name) && !isFramingHeader(name);
    }),
  );
}

function isCountOrNone(value: unknown): value is number | undefined {
  return value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0);
}

function malformed(problem: string): HoldfastError {
  return new HoldfastError('SECRET_DENIED', `The request was not sent: ${problem}. Correct it.`);
}
