import type { InjectRules } from '../../config/resolve.ts';
import type { Scrubber } from '../scrub/scrubber.ts';
import { metered, type BodySource } from './body-source.ts';
import { plainBody, shownHeaders } from './fetch-answer.ts';
import { answerTooLarge, failed, noStatus } from './fetch-failure.ts';
import type { Followed } from './follow.ts';
import { scrubbedBody } from './scrubbed-body.ts';

/** The answer of a service as it comes, without the secret. */
export interface OpenAnswer {
  readonly status: number;
  readonly statusText: string;
  /** Names in lower case; several values of one name are joined by `, `. Nothing of how the body was encoded. */
  readonly headers: Readonly<Record<string, string>>;
  /** The URL that answered, without a fragment. */
  readonly url: string;
  readonly redirected: boolean;
  /** The body, decoded; undefined when there is none. */
  readonly body: BodySource | undefined;
  /** Resolves when the body is over, however it ends. */
  readonly over: Promise<BodyEnd>;
  /** Drops the answer, which nobody is to read; its connection can be used again. */
  discard(): void;
}

/** The end of a body. */
export interface BodyEnd {
  /** The bytes that were given out. */
  readonly bytes: number;
  /** Undefined: that was the whole body. */
  readonly error?: unknown;
}

/** The headers that are not true of a body that was decoded, and out of which a secret may have been taken. */
const ENCODING = ['content-encoding', 'content-length'];

/** The answer as the agent may see it. The signal has ended it before it is read, or while it is. */
export function openAnswer(
  followed: Followed,
  scrubber: Scrubber,
  method: string,
  { maxStreamBytes }: InjectRules,
  signal: AbortSignal,
): OpenAnswer {
  const { status, statusText, url, redirected, exchange } = followed;
  if (status > 599) {
    exchange.discard();
    throw noStatus(status);
  }
  const plain = plainBody(followed, method);
  const over = Promise.withResolvers<BodyEnd>();
  if (plain === undefined) {
    exchange.discard();
    over.resolve({ bytes: 0 });
  } else {
    signal.addEventListener('abort', () => over.resolve({ bytes: 0, error: signal.reason }), { once: true });
  }
  return {
    status,
    statusText: scrubber.scrubText(statusText),
    headers: shownHeaders(followed.headers, scrubber, ENCODING),
    url: scrubber.scrubText(url.href),
    redirected,
    body:
      plain &&
      metered(scrubbedBody(plain, scrubber.stream()), {
        most: maxStreamBytes,
        tooLarge: () => answerTooLarge(maxStreamBytes, 'maxStreamBytes'),
        toError: (error) => failed(error, signal),
        over: (bytes, error) => over.resolve({ bytes, error }),
      }),
    over: over.promise,
    discard: () => exchange.discard(),
  };
}
