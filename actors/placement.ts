/** A thread as its pool sees it. It is alive for the operating system in every one of these states. */
export interface PlacedThread {
  /** Its number within the pool, from 1 to `maxThreads`; free again only when the thread is gone. */
  readonly n: number;
  readonly state: 'starting' | 'ready' | 'leaving' | 'stuck';
  /** Instances placed on it. */
  readonly owned: number;
}

export type Placement =
  | { readonly kind: 'existing'; readonly n: number }
  | { readonly kind: 'new'; readonly n: number }
  | { readonly kind: 'wait' };

/**
 * Where the next instance goes: to the thread that owns the fewest. A thread not yet started owns none, so it
 * is started as long as the pool has room; a thread that leaves, or is stuck, takes up room until it has exited.
 */
export function choosePlacement(threads: readonly PlacedThread[], maxThreads: number): Placement {
  let fewest: PlacedThread | undefined;
  for (const thread of threads) {
    if (!takesInstances(thread)) continue;
    if (fewest === undefined || thread.owned < fewest.owned) fewest = thread;
  }
  if (fewest?.owned === 0) return { kind: 'existing', n: fewest.n };
  if (threads.length < maxThreads) return { kind: 'new', n: freeNumber(threads) };
  return fewest === undefined ? { kind: 'wait' } : { kind: 'existing', n: fewest.n };
}

/** Whether it will run what is placed on it. */
export function takesInstances({ state }: PlacedThread): boolean {
  return state === 'starting' || state === 'ready';
}

/** The lowest number no live thread has. */
export function freeNumber(threads: readonly PlacedThread[]): number {
  let n = 1;
  while (threads.some((thread) => thread.n === n)) n += 1;
  return n;
}
