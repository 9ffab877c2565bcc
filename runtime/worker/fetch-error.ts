import { HoldfastError } from '../base/errors.ts';

/**
 * The error as a `fetch` has it. Client libraries try again after a `TypeError`, and not after others: so that is what
 * may go well the next time, and all else is the error itself.
 */
export function fetchError(error: unknown, message: 'fetch failed' | 'terminated'): unknown {
  const isTransient = error instanceof HoldfastError && error.retryable;
  return isTransient ? new TypeError(message, { cause: error }) : error;
}
