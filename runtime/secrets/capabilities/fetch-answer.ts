import type { Scrubber } from '../scrub/scrubber.ts';
import { metered, readAll, type BodySource } from './body-source.ts';
import { decoded, encodingsIn } from './decoded-body.ts';
import { answerTooLarge, undecodable } from './fetch-failure.ts';
import type { Followed } from './follow.ts';

/** The answer of a service to `secretFetch`, without the secret. */
export interface FetchAnswer {
  readonly status: number;
  /** Names in lower case; several values of one name are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** Text as UTF-8, or bytes when the request wants `as: 'bytes'`. */
  readonly body: string | Uint8Array;
}

/** The same, with how many bytes its body has. */
export interface WholeAnswer extends FetchAnswer {
  readonly bytes: number;
}

/** Headers that set a credential for later requests, which is not for the agent, and headers of the connection. */
const KEPT_BACK = new Set(['set-cookie', 'set-cookie2', 'connection', 'keep-alive', 'transfer-encoding']);

/** The headers as the agent may see them, without those of how the body was encoded where it no longer is. */
export function shownHeaders(
  headers: Followed['headers'],
  scrubber: Scrubber,
  without: readonly string[],
): Record<string, string> {
  const safe = Object.entries(headers)
    .filter(([name]) => !KEPT_BACK.has(name) && !without.includes(name))
    // Of a name nothing else would be left that a header can be called.
    .filter(([name]) => scrubber.scrubText(name) === name)
    .map(([name, value]) => [name, scrubber.scrubText(value)]);
  return Object.fromEntries(safe) as Record<string, string>;
}

/**
 * The body as it was before it was encoded; undefined when the answer has none.
 * @throws {HoldfastError} `SECRET_DENIED`: it is encoded in a way that is not known
 */
export function plainBody({ status, headers, exchange }: Followed, method: string): BodySource | undefined {
  if (method === 'HEAD' || status === 204 || status === 205 || status === 304) return undefined;
  if (headers['content-length'] === '0') return undefined;
  const encodings = encodingsIn(headers['content-encoding']);
  if (encodings !== undefined) return encodings.reduceRight<BodySource>(decoded, exchange);
  const error = undecodable();
  exchange.abort(error);
  throw error;
}

/** Reads the whole answer, which may have a body of so many bytes. */
export async function wholeAnswer(
  followed: Followed,
  { method, as }: { readonly method: string; readonly as: 'text' | 'bytes' },
  most: number,
  scrubber: Scrubber,
): Promise<WholeAnswer> {
  const body = await readAll(
    metered(plainBody(followed, method) ?? followed.exchange, {
      most,
      tooLarge: () => answerTooLarge(most, 'maxResponseBytes'),
      toError: (error) => error,
      over() {},
    }),
  );
  const isEncoded = encodingsIn(followed.headers['content-encoding'])?.length !== 0;
  const encoding =
    isEncoded && body.length > 0 ? ['content-encoding', 'content-length'] : ['content-encoding'];
  // Each byte becomes a character, so that the bytes of the secret are found in whatever encoding a text has.
  const text = body.toString('latin1');
  const scrubbed = scrubber.scrubText(text);
  const bytes = scrubbed === text ? body : Buffer.from(scrubbed, 'latin1');
  return {
    status: followed.status,
    headers: shownHeaders(followed.headers, scrubber, encoding),
    bytes: bytes.length,
    body: as === 'text' ? bytes.toString('utf8') : Uint8Array.from(bytes),
  };
}
