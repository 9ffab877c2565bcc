import { HoldfastError } from '../../base/errors.ts';

/** An error of Holdfast's own, because the client's error may quote what it was given. */
export function failed(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof HoldfastError) return error;
  const { code, cause } = (error ?? {}) as { code?: string; cause?: { code?: string } };
  const refused = [error, cause].find((one) => one instanceof HoldfastError);
  if (refused !== undefined) return refused;
  const why = [code, cause?.code].find((one) => /^[A-Z][A-Z0-9_]{2,60}$/.test(one ?? ''));
  if (why === 'UND_ERR_HEADERS_TIMEOUT' || why === 'UND_ERR_BODY_TIMEOUT') return silent(why);
  if ((error as Error | undefined)?.name === 'HTTPParserError') return noHttp();
  return new HoldfastError(
    'FETCH_FAILED',
    `The request failed (${why ?? 'no connection'}). Check the host, its certificate ` +
      'and the network, and try again if that is safe.',
  );
}

/** What the parser says of it, it quotes. */
function noHttp(): HoldfastError {
  return new HoldfastError(
    'FETCH_FAILED',
    'The request failed: what the service answers is no HTTP that a client may take. Check the host, the port and what stands ' +
      'before it.',
  );
}

function silent(why: string): HoldfastError {
  return new HoldfastError(
    'FETCH_FAILED',
    `The request failed (${why}): the service was silent for longer than \`idleTimeoutMs\` allows. Try again if that is ` +
      'safe, or allow more.',
  );
}

/** The error of an answer that is larger than the key of its grant allows. */
export function answerTooLarge(most: number, key: 'maxResponseBytes' | 'maxStreamBytes'): HoldfastError {
  return new HoldfastError(
    'MESSAGE_TOO_LARGE',
    `The answer has a body of more than ${most} bytes. Ask for less, or raise \`${key}\` of the grant.`,
  );
}

export function rateLimited(wait: number): HoldfastError {
  const error = new HoldfastError(
    'SECRET_RATE_LIMITED',
    `The grant's \`rate\` lets no more requests begin for ${Math.ceil(wait)} ms. Wait, or raise it.`,
  );
  return Object.assign(error, { retryAfterMs: Math.ceil(wait) });
}

/** The error of a request for which no connection is free, and whose body is more than may wait for one. */
export function tooManyWait(): HoldfastError {
  return new HoldfastError(
    'SECRET_RATE_LIMITED',
    'The request was not sent: all connections that the grant may have to its host are in use, and as much waits for one as ' +
      'is kept. Wait for some of its answers to end, or give up those that nobody reads.',
  );
}

/** The error of a request for which no connection became free in time. */
export function waitedTooLong(ms: number): HoldfastError {
  return new HoldfastError(
    'FETCH_FAILED',
    `The request was not sent: no connection was free for ${ms} ms, which is its \`idleTimeoutMs\`; answers that go on have all ` +
      'that the grant may have to its host. Try again, or give up those that nobody reads.',
  );
}

/** The error of an answer that is encoded in a way in which the scrubber finds nothing. */
export function undecodable(): HoldfastError {
  return new HoldfastError(
    'SECRET_DENIED',
    'The answer was kept back: it is encoded in a way in which no secret can be found. Have the service send it plain.',
  );
}

/** The error of an answer whose status no `Response` can have. */
export function noStatus(status: number): HoldfastError {
  return new HoldfastError(
    'FETCH_FAILED',
    `The request failed: the service answers with the status ${status}, which HTTP does not have.`,
  );
}
