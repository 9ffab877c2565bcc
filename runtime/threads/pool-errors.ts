import type { PlacementRule } from '../../actors/placement.ts';
import type { PoolIntensity, Strike } from '../../actors/pool-health.ts';
import type { Refusal } from '../../actors/pool-plan.ts';
import type { ResolvedAgent, ResolvedPool } from '../config/resolve.ts';
import { HoldfastError } from '../base/errors.ts';

/** The failures that counted against a pool. */
export interface PoolEvidence extends PoolIntensity {
  /** The threads that ended before they were ready, and the instances that failed too often; oldest first. */
  readonly strikes: readonly Strike[];
}

/** Returns the placement rule for an instance of the agent. */
export function placementOf({ placement }: ResolvedAgent, id: string): PlacementRule {
  return typeof placement === 'string' ? { kind: placement } : { kind: 'key', key: id };
}

/** The error for an instance that gets no thread. */
export function noThread(
  address: string,
  { threadId, maxThreads, startTimeoutMs, intensity }: ResolvedPool,
  why: Refusal,
): HoldfastError {
  if (why === 'exhausted') return closedPool(threadId, intensity, `${address} has no thread: `);
  return new HoldfastError(
    'POOL_EXHAUSTED',
    `${address} waited ${startTimeoutMs} ms for a thread of pool "${threadId}": none of ${maxThreads} was free for it; ` +
      'raise maxThreads, stop what is not needed, or look for threads that do not end',
  );
}

/** The error for a pool that starts no more threads. */
export function closedPool(
  threadId: string,
  { restarts, withinMs }: PoolIntensity,
  whose = '',
): HoldfastError {
  return new HoldfastError(
    'POOL_EXHAUSTED',
    `${whose}pool "${threadId}" starts no more threads after more than ${restarts} failed starts or quarantined ` +
      `instances within ${withinMs} ms; fix what fails, then try again when ${withinMs} ms have passed without another`,
  );
}
