import { isDeepStrictEqual } from 'node:util';
import type { LoadedConfig, ResolvedPool } from '../config/resolve.ts';

/** The way in which a change of the config takes effect. */
export type ConfigChange =
  | { readonly kind: 'nothing' }
  /** Tokens and limits change at once, because they are read at each request. */
  | { readonly kind: 'applied' }
  /** Some pools get new threads, one by one. */
  | { readonly kind: 'rolled'; readonly pools: readonly ResolvedPool[] }
  /** The gateway gets a new process. */
  | { readonly kind: 'restarted' };

/**
 * The settings for which live threads may be replaced. The rights of a thread, and the memory it shares, stay as they
 * were at the start.
 */
const ROLLED: ReadonlySet<keyof ResolvedPool> = new Set([
  'maxThreads',
  'minThreads',
  'idleTimeoutMs',
  'env',
  'resourceLimits',
  'heapBudgetMb',
  'watchdog',
  'startTimeoutMs',
  'intensity',
]);

/** The smallest change that makes `after` out of `before`. */
export function changeOf(before: LoadedConfig, after: LoadedConfig): ConfigChange {
  if (isDeepStrictEqual(before, after)) return { kind: 'nothing' };
  if (!isDeepStrictEqual(comparable(before), comparable(after))) return { kind: 'restarted' };
  // Only the same pools in the same order can be rolled.
  const pairs = after.pools
    .map((pool, n) => [before.pools[n] as ResolvedPool, pool] as const)
    .filter(([old, pool]) => !isDeepStrictEqual(old, pool));
  if (pairs.length === 0) return { kind: 'applied' };
  if (!pairs.every(([old, pool]) => isRolled(old, pool, before))) return { kind: 'restarted' };
  return { kind: 'rolled', pools: pairs.map(([, pool]) => pool) };
}

/** The config without the parts that have a smaller change of their own. */
function comparable({ gateway, pools, ...rest }: LoadedConfig): object {
  const access = {
    tokens: 0,
    requestsPerSecond: 0,
    maxBodyBytes: 0,
    requestTimeoutMs: 0,
    reload: 0,
    limits: 0,
    cors: 0,
  };
  const threadIds = pools.map(({ threadId }) => threadId);
  return { ...rest, files: [], threadIds, gateway: { ...gateway, ...access } };
}

function isRolled(old: ResolvedPool, pool: ResolvedPool, { agents }: LoadedConfig): boolean {
  const keys = new Set([...Object.keys(old), ...Object.keys(pool)] as (keyof ResolvedPool)[]);
  const changed = [...keys].filter((key) => !isDeepStrictEqual(old[key], pool[key]));
  if (!changed.every((key) => ROLLED.has(key))) return false;
  if (!changed.includes('maxThreads')) return true;
  // A key leads to one of so many threads; and there are never more than the cap allows, not even while it falls.
  const isKeyed = agents.some((one) => one.threadId === pool.threadId && typeof one.placement === 'object');
  return !isKeyed && pool.maxThreads > old.maxThreads;
}
