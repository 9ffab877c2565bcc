/**
 * Time and chance, as the runtime uses them. It is the only kind of clock: code that needs less of it declares a `Pick`,
 * and tests provide their own. `now` and `date` count from the same epoch.
 */
export interface Clock {
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
  /** Keeps a pending timer from keeping the process alive. */
  unref?(handle: unknown): void;
  /** Milliseconds since the epoch, with fractions, that never go back: for deadlines, ages and durations. */
  now(): number;
  /** Milliseconds since the epoch by the calendar, which may be set back: for times that another process reads. */
  date(): number;
  /** In [0, 1). */
  random(): number;
}

/** The longest delay of a timer, 24 days: Node fires a longer one at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

const { timeOrigin } = performance;

export const systemClock: Clock = {
  // Node warns of a delay below 0.
  setTimeout: (run, ms) => setTimeout(run, Math.max(0, Math.min(ms, LONGEST_TIMER_MS))),
  clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
  unref: (handle) => void (handle as NodeJS.Timeout).unref(),
  now: () => timeOrigin + performance.now(),
  date: () => Date.now(),
  random: () => Math.random(),
};

/** Runs something after `ms` if the process is there then: it is not kept alive for that. */
export function later(clock: Pick<Clock, 'setTimeout' | 'unref'>, run: () => void, ms: number): void {
  const timer = clock.setTimeout(run, ms);
  clock.unref?.(timer);
}

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
