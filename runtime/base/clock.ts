/** Time and chance, as the runtime uses them; tests bring their own. */
export interface Clock {
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
  /** A timer that is set no longer keeps the process alive. */
  unref?(handle: unknown): void;
  /** Milliseconds that never go back. */
  now(): number;
  /** Milliseconds since the epoch. */
  date(): number;
  /** In [0, 1). */
  random(): number;
}

/** Node fires a longer timer at once, this one is 24 days; and it warns of one below 0. */
const LONGEST_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  setTimeout: (run, ms) => setTimeout(run, Math.max(0, Math.min(ms, LONGEST_MS))),
  clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
  unref: (handle) => void (handle as NodeJS.Timeout).unref(),
  now: () => performance.now(),
  date: () => Date.now(),
  random: () => Math.random(),
};

/** Settles like `promise`, or rejects with `late()` after `ms`. */
export async function within<T>(
  clock: Clock,
  ms: number,
  promise: Promise<T>,
  late: () => Error,
): Promise<T> {
  let timer: unknown;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = clock.setTimeout(() => reject(late()), ms);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clock.clearTimeout(timer);
  }
}
