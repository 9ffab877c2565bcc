import type { HoldfastError } from '../base/errors.ts';
import type { AnswerHead } from '../wire/protocol.ts';

/** The response with what a constructor cannot give it, also in its clones. */
export function described(
  response: Response,
  head: Pick<AnswerHead, 'statusText' | 'url' | 'redirected'>,
): Response {
  const own = (value: unknown): PropertyDescriptor => ({ value, configurable: true, writable: true });
  return Object.defineProperties(response, {
    // It may be in any script, which a constructor does not take.
    statusText: own(head.statusText),
    url: own(head.url),
    redirected: own(head.redirected),
    type: own('basic'),
    clone: own(() => described(Response.prototype.clone.call(response), head)),
  });
}

/**
 * The answer to a request that the grant's `rate` does not let begin. Client libraries obey the headers of such an
 * answer, where they would take an error for final.
 */
export function tooManyRequests(error: HoldfastError, url: string): Response {
  const { code, message } = error;
  const { retryAfterMs } = error as { retryAfterMs?: unknown };
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (typeof retryAfterMs === 'number') {
    headers['retry-after-ms'] = String(Math.ceil(retryAfterMs));
    headers['retry-after'] = String(Math.ceil(retryAfterMs / 1000));
  }
  const body = JSON.stringify({ error: { type: 'rate_limit_error', code, message } });
  const response = new Response(body, { status: 429, headers });
  return described(response, { statusText: 'Too Many Requests', url, redirected: false });
}
