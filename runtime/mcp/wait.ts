import type { Clock } from '../base/clock.ts';

/** Resolves after `ms`, or rejects with the signal's reason. */
export async function wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return;
  await untilAborted(signal, new Promise<void>((resolve) => void clock.setTimeout(resolve, ms)));
}

/** Settles like the promise, or rejects with the signal's reason, whichever comes first. */
export async function untilAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  if (signal.aborted) promise.catch(() => {});
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
