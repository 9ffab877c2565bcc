import { isDeepStrictEqual } from 'node:util';
import type { LoadedConfig, ResolvedPool } from '../config/resolve.ts';

/** What a change of the config needs. */
export type ConfigChange =
  | { readonly kind: 'nothing' }
  /** Tokens and limits: read for each request. */
  | { readonly kind: 'applied' }
  /** Some pools get other threads, one by one. */
  | { readonly kind: 'rolled'; readonly pools: readonly ResolvedPool[] }
  /** Another process. */
  | { readonly kind: 'restarted' };

/** What threads that are there may be replaced for. What a thread may do, and which memory it shares, is as it was at the start. */
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

/** The least that makes `after` out of `before`. */
export function changeOf(before: LoadedConfig, after: LoadedConfig): ConfigChange {
  if (isDeepStrictEqual(before, after)) return { kind: 'nothing' };
  if (!isDeepStrictEqual(comparable(before), comparable(after))) return { kind: 'restarted' };
  // The same pools in the same order.
  const pairs = after.pools
    .map((pool, n) => [before.pools[n] as ResolvedPool, pool] as const)
    .filter(([old, pool]) => !isDeepStrictEqual(old, pool));
  if (pairs.length === 0) return { kind: 'applied' };
  if (!pairs.every(([old, pool]) => isRolled(old, pool, before))) return { kind: 'restarted' };
  return { kind: 'rolled', pools: pairs.map(([, pool]) => pool) };
}

/** Without what has a smaller change of its own. */
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
  // A key leads to one of so many threads; and there are never more than the cap says, not even while it falls.
  const isKeyed = agents.some((one) => one.threadId === pool.threadId && typeof one.placement === 'object');
  return !isKeyed && pool.maxThreads > old.maxThreads;
}
