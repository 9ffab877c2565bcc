/**
 * Calls what a user gave the runtime, and keeps what comes of it with the runtime: what it throws, and what a promise of
 * it rejects with, goes to `failed` and no further. Nothing is waited for. Returns what it returned, if it did.
 */
export function callUser<T>(call: () => T, failed: (error: unknown) => void): T | undefined {
  try {
    const result = call();
    if (isThenable(result)) Promise.resolve(result).catch(failed);
    return result;
  } catch (error) {
    failed(error);
    return undefined;
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { readonly then?: unknown }).then === 'function'
  );
}
