/** Counts by name, and lets others wait for a count. */
export interface Tally {
  add(name: string): void;
  /** The count is at least that from now on. */
  reach(name: string, count: number): void;
  countOf(name: string): number;
  /** Settles once `count` is reached; rejects after `timeoutMs`. */
  until(name: string, count: number, timeoutMs: number): Promise<void>;
}

interface Waiter {
  readonly name: string;
  readonly count: number;
  resolve(): void;
}

export function createTally(): Tally {
  const counts = new Map<string, number>();
  const waiters = new Set<Waiter>();
  const countOf = (name: string): number => counts.get(name) ?? 0;

  const reach = (name: string, count: number): void => {
    if (count <= countOf(name)) return;
    counts.set(name, count);
    for (const waiter of waiters) if (waiter.name === name && waiter.count <= count) waiter.resolve();
  };

  return {
    countOf,
    reach,
    add(name) {
      reach(name, countOf(name) + 1);
    },
    async until(name, count, timeoutMs) {
      if (countOf(name) >= count) return;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const waiter = { name, count, resolve };
      const timer = setTimeout(() => {
        reject(new Error(`${name}: ${countOf(name)} of ${count} came within ${timeoutMs} ms`));
      }, timeoutMs);
      waiters.add(waiter);
      try {
        await promise;
      } finally {
        clearTimeout(timer);
        waiters.delete(waiter);
      }
    },
  };
}
