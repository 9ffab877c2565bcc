import { HoldfastError } from '../base/errors.ts';

/** The error for somebody who waits for a commit that the store has not been able to make; `what` happened. */
export function uncommitted(address: string, what: string, ms: number, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'STORE_FAILED',
    `${address}: ${what}, and after ${ms} ms nobody knows whether the store has that; look at status().store, and ask again with care`,
    cause === undefined ? {} : { cause },
  );
}
