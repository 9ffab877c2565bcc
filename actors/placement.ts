import type { Recycling } from './thread.ts';

/** A thread as its pool sees it. It is alive for the operating system in every one of these states. */
export interface PlacedThread {
  /** Its number within the pool, from 1 to `maxThreads`; free again only when the thread is gone. */
  readonly n: number;
  readonly state: 'starting' | 'ready' | 'recycling' | 'leaving' | 'stuck';
  /** Instances placed on it. */
  readonly owned: number;
  /** The one instance on it wants it for itself. */
  readonly exclusive?: boolean;
  /** It was never ready: should it exit, its start has failed. */
  readonly fresh?: boolean;
  /** Should its start fail, nothing has become worse, and that does not count against the pool. */
  readonly spared?: boolean;
  /** It is to take the place of that thread, and takes nobody before it is ready. */
  readonly instead?: ({ readonly of: number } & Recycling) | undefined;
}

/** Which thread an instance wants: the one with the fewest, one of its own, or always the same for the same key. */
export type PlacementRule =
  | { readonly kind: 'fewest' }
  | { readonly kind: 'exclusive' }
  | { readonly kind: 'key'; readonly key: string }
  /** `fewest`, once the thread `of` has been replaced: on one that is to be replaced next it would not stay long. */
  | { readonly kind: 'replacement'; readonly of: number };

/** An instance, and where it wants to be. */
export interface Placeable {
  readonly address: string;
  /** The pool. */
  readonly threadId: string;
  /** Default: on the thread with the fewest. */
  readonly placement?: PlacementRule | undefined;
  /** It has left a thread that is replaced, and goes on as it was. Default: it begins. */
  readonly moving?: boolean | undefined;
}

export const FEWEST: PlacementRule = { kind: 'fewest' };

export type Placement =
  | { readonly kind: 'existing'; readonly n: number }
  | { readonly kind: 'new'; readonly n: number }
  | { readonly kind: 'wait' };

/** Where the next instance goes. A thread that leaves, or is stuck, takes up room until it has exited. */
export function choosePlacement(
  threads: readonly PlacedThread[],
  maxThreads: number,
  rule: PlacementRule = FEWEST,
  mayStart = true,
): Placement {
  const room = mayStart && threads.length < maxThreads;
  if (rule.kind === 'key') return byKey(threads, maxThreads, rule.key, mayStart);
  const fewest = fewestOf(threads);
  // A thread not yet started owns none, so it is started as long as the pool has room.
  if (fewest?.owned === 0) return { kind: 'existing', n: fewest.n };
  if (room) return { kind: 'new', n: freeNumber(threads) };
  if (fewest === undefined || rule.kind === 'exclusive') return { kind: 'wait' };
  if (
    rule.kind === 'replacement' &&
    threads.some((thread) => thread.n === rule.of && !takesInstances(thread))
  )
    return { kind: 'wait' };
  return { kind: 'existing', n: fewest.n };
}

function fewestOf(threads: readonly PlacedThread[]): PlacedThread | undefined {
  let fewest: PlacedThread | undefined;
  for (const thread of threads) {
    if (!takesInstances(thread) || thread.exclusive === true) continue;
    if (fewest === undefined || thread.owned < fewest.owned) fewest = thread;
  }
  return fewest;
}

function byKey(
  threads: readonly PlacedThread[],
  maxThreads: number,
  key: string,
  mayStart: boolean,
): Placement {
  const n = numberOf(key, maxThreads);
  const thread = threads.find((candidate) => candidate.n === n);
  if (thread === undefined) return mayStart ? { kind: 'new', n } : { kind: 'wait' };
  return !takesInstances(thread) || thread.exclusive === true ? { kind: 'wait' } : { kind: 'existing', n };
}

/** Whether it will run what is placed on it. */
export function takesInstances({ state, instead }: PlacedThread): boolean {
  return (state === 'starting' && instead === undefined) || state === 'ready';
}

/** The lowest number no live thread has. */
export function freeNumber(threads: readonly PlacedThread[]): number {
  let n = 1;
  while (threads.some((thread) => thread.n === n)) n += 1;
  return n;
}

/**
 * The thread number of a key, by rendezvous hashing: each number bids for the key, the highest bid wins. With one more
 * thread only those keys move that it wins, with one less only those that it had.
 */
export function numberOf(key: string, maxThreads: number): number {
  let [winner, highest] = [1, -1];
  for (let n = 1; n <= maxThreads; n++) {
    const bid = hash(`${n}:${key}`);
    if (bid > highest) [winner, highest] = [n, bid];
  }
  return winner;
}

/** FNV-1a, and MurmurHash3's last steps, without which similar texts have similar hashes. 32 bits. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    h = Math.imul(h ^ (unit & 0xff), 0x01000193);
    h = Math.imul(h ^ (unit >>> 8), 0x01000193);
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
