import type { InjectRules } from '../../config/resolve.ts';
import { HoldfastError } from '../../base/errors.ts';
import { isRefusedHeader, mayStandFor, readAlike } from './inject-headers.ts';

/** The request of `secretFetch`, as a thread sent it: it may be anything. */
export interface FetchRequest {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly as?: 'text' | 'bytes';
}

/** A request that its grant allows, complete but for the secret. */
export interface CheckedRequest {
  readonly url: URL;
  readonly method: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | undefined;
  readonly as: 'text' | 'bytes';
}

/** The largest body of a request, in bytes. */
export const LARGEST_BODY = 1_048_576;
/** The longest URL, and the most of all headers together, in characters: limits that servers commonly have. */
const LONGEST_URL = 8192;
const LONGEST_HEADERS = 16_384;

/**
 * Checks a request against the rules of its grant, before anything is fetched or sent.
 *
 * @throws {HoldfastError} `SECRET_DENIED` with everything that is wrong, or `MESSAGE_TOO_LARGE`. Says nothing of the
 * rules.
 */
export function checkRequest(
  asked: unknown,
  rules: InjectRules,
  largestBody: number = LARGEST_BODY,
): CheckedRequest {
  const request = (asked ?? {}) as Partial<Record<keyof FetchRequest, unknown>>;
  const { as = 'text', method = 'GET' } = request;
  const problems: string[] = [];
  const url = checkUrl(request.url, rules, problems);
  if (typeof method !== 'string' || !rules.methods.includes(method)) {
    const named = typeof method === 'string' && /^[A-Z]{1,20}$/.test(method) ? ` ${method}` : '';
    problems.push(`the grant does not allow the method${named}, which \`methods\` has to list`);
  }
  if (as !== 'text' && as !== 'bytes') problems.push('`as` is neither "text" nor "bytes"');
  const headers = checkHeaders(request.headers, rules, problems);
  const { body, type } = checkBody(request.body, largestBody, problems);
  if (body !== undefined && (method === 'GET' || method === 'HEAD')) problems.push(`a ${method} has no body`);
  if (type !== undefined) headers['content-type'] ??= type;
  if (url === undefined || problems.length > 0) {
    throw new HoldfastError(
      'SECRET_DENIED',
      `The request was not sent: ${problems.join('; ')}. Correct it, or widen the grant in the agent's \`secrets\`.`,
    );
  }
  return { url, method: method as string, headers, body, as: as as CheckedRequest['as'] };
}

/** Whether a request of these rules may go to the URL; also checked for the target of a redirect. */
export function isAllowedUrl(url: URL, { origins, paths }: InjectRules): boolean {
  return (
    origins.includes(url.origin) &&
    url.username === '' &&
    url.password === '' &&
    paths.some((pattern) => matches(pattern, url.pathname))
  );
}

function checkUrl(asked: unknown, rules: InjectRules, problems: string[]): URL | undefined {
  // A parser would drop some of these characters and read on, and the URL that was checked must be the one that was
  // written.
  if (typeof asked !== 'string' || asked.length > LONGEST_URL || /[\s\\\p{Cc}]/u.test(asked)) {
    problems.push(
      'the URL is not a text of at most 8192 characters without spaces, control characters and backslashes',
    );
    return undefined;
  }
  const url = URL.parse(asked);
  if (url === null) {
    problems.push('the URL is not absolute');
    return undefined;
  }
  url.hash = '';
  if (url.username !== '' || url.password !== '') problems.push('the URL has a user name or password');
  if (!rules.origins.includes(url.origin)) {
    problems.push('the grant does not allow its scheme, host and port');
  } else if (!rules.paths.some((pattern) => matches(pattern, url.pathname))) {
    problems.push(
      'the grant does not allow its path, or the path has encoded slashes or dots, or a segment of dots',
    );
  }
  return url;
}

/**
 * Sequences that a server may take for a slash, a dot, a parameter or an end after the URL was parsed: encoded once or
 * twice, or in more bytes than UTF-8 has for it. And `.` and `..`, which not every parser resolves in every path.
 */
const AMBIGUOUS = /%(?:2f|5c|2e|3b|25|00|c[01]|e0%[89]|f0%8)|\/\.{1,2}(?:[;/]|$)/i;

/** Matches a path of a parsed URL, in which nothing is left that a server may read in another way. */
function matches(pattern: string, path: string): boolean {
  if (pattern === '/*') return true;
  if (!pattern.endsWith('/*')) return path === pattern;
  const head = pattern.slice(0, -1);
  return path.startsWith(head) && !AMBIGUOUS.test(path.slice(head.length - 1));
}

function checkHeaders(asked: unknown, rules: InjectRules, problems: string[]): Record<string, string> {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  if (asked === undefined) return headers;
  if (typeof asked !== 'object' || asked === null || Array.isArray(asked)) {
    problems.push('the headers are not an object');
    return headers;
  }
  const taken = new Set<string>();
  let length = 0;
  for (const [written, value] of Object.entries(asked) as [string, unknown][]) {
    const name = written.toLowerCase();
    const alike = readAlike(name);
    length += name.length + String(value).length;
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name) || taken.has(alike)) {
      problems.push('a header has a name that is not valid, or that another one has');
    } else if (isRefusedHeader(name) || mayStandFor(name, rules.header)) {
      problems.push(`an agent may not set the header ${name}`);
    } else if (typeof value !== 'string' || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      problems.push(`the header ${name} has a value that is not text on one line`);
    } else {
      headers[name] = value;
      taken.add(alike);
    }
  }
  if (length > LONGEST_HEADERS) problems.push(`the headers have more than ${LONGEST_HEADERS} characters`);
  return headers;
}

function checkBody(
  asked: unknown,
  largest: number,
  problems: string[],
): { body: CheckedRequest['body']; type?: string | undefined } {
  if (asked === undefined) return { body: undefined };
  if (typeof asked === 'string' || asked instanceof Uint8Array) return { body: ofSize(asked, largest) };
  let json: string | undefined;
  try {
    json = JSON.stringify(asked);
  } catch {
    // The value has a cycle or a bigint.
  }
  if (json === undefined)
    problems.push('the body is neither text, nor bytes, nor anything that JSON can hold');
  return { body: json === undefined ? undefined : ofSize(json, largest), type: 'application/json' };
}

function ofSize<T extends string | Uint8Array>(body: T, largest: number): T {
  const bytes = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
  if (bytes <= largest) return body;
  throw new HoldfastError(
    'MESSAGE_TOO_LARGE',
    `The request was not sent: its body has ${bytes} bytes, more than ${largest}. Send it in parts.`,
  );
}
