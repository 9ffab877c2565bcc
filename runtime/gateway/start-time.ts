import type { ResolvedPool } from '../config/resolve.ts';
import { AT_A_TIME } from '../base/in-turn.ts';

/** For a process that has no instance, on a busy machine. */
const AT_LEAST_MS = 30_000;

/**
 * How long a process may take until it serves with so many instances. One whose thread does not start fails by itself, after the time
 * that its pool gives a thread; the others are not to be lost for that.
 */
export function startMs(pools: readonly Pick<ResolvedPool, 'startTimeoutMs'>[], instances: number): number {
  const longest = Math.max(0, ...pools.map(({ startTimeoutMs }) => startTimeoutMs));
  return AT_LEAST_MS + longest * Math.ceil(instances / AT_A_TIME);
}
