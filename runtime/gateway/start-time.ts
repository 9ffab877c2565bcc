import type { ResolvedPool } from '../config/resolve.ts';
import { AT_A_TIME } from '../base/in-turn.ts';

/** The least time, for a process without instances on a busy machine. */
const AT_LEAST_MS = 30_000;

/**
 * The longest time until a process serves with so many instances. An instance whose thread does not start fails by
 * itself, after the time that its pool gives a thread, and must not take the others with it.
 */
export function startMs(pools: readonly Pick<ResolvedPool, 'startTimeoutMs'>[], instances: number): number {
  const longest = Math.max(0, ...pools.map(({ startTimeoutMs }) => startTimeoutMs));
  return AT_LEAST_MS + longest * Math.ceil(instances / AT_A_TIME);
}
