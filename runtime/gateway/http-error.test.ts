import { expect, test } from 'vitest';
import { HoldfastError, type HoldfastErrorCode } from '../base/errors.ts';
import { errorBody, HttpError, httpErrorOf } from './http-error.ts';

test.each<[HoldfastErrorCode, number, boolean, number | undefined]>([
  ['MAILBOX_FULL', 429, true, 1],
  ['THREAD_CRASHED', 503, true, 1],
  ['SECRET_UNAVAILABLE', 409, true, 1],
  ['STORE_FAILED', 503, true, 1],
  // Its time has been waited for already.
  ['ASK_TIMEOUT', 504, true, undefined],
  ['AGENT_QUARANTINED', 409, false, undefined],
  ['NOT_MIRRORED', 500, false, undefined],
  // The next process serves at the address.
  ['RUNTIME_STOPPED', 503, true, 1],
])('%s is answered with %i, retryable: %j, Retry-After: %j', (code, status, retryable, retryAfter) => {
  const error = httpErrorOf(new HoldfastError(code, 'why'));
  expect(error).toMatchObject({ status, code, retryable });
  expect(error.retryAfter).toBe(retryAfter);
  expect(errorBody(error)).toEqual({ error: { code, message: 'why', retryable } });
});

test('what an agent threw is its own failure, and not retryable', () => {
  const thrown = httpErrorOf(new RangeError('out of range'));
  expect(thrown).toMatchObject({
    status: 422,
    code: 'AGENT_FAILED',
    retryable: false,
    retryAfter: undefined,
  });
});

test('who knows how long to wait says so', () => {
  expect(new HttpError(429, 'RATE_LIMITED', 'too many', 7).retryAfter).toBe(7);
  expect(new HttpError(502, 'SERVICE_FAILED', 'it ended').retryAfter).toBe(1);
});
