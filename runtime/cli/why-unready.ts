import type { Readiness } from '../gateway/readiness.ts';
import { PAUSED } from '../gateway/paused.ts';

/** Why requests may not be sent to a gateway; who may not know that is told that it is so. */
export function whyUnready(readiness: Partial<Readiness>): string {
  const { paused, state = 'running', eventLoop, closedPools = [], store, cluster } = readiness;
  const why = [
    ...(paused === true ? [`paused: ${PAUSED}`] : []),
    ...(state === 'running' ? [] : [`the runtime is ${state}`]),
    ...(store === undefined ? [] : [`the store is ${store.state}: ${store.error?.message ?? 'see its log'}`]),
    ...(cluster?.partitions === 0 ? [`node ${cluster.node} has no partitions: other nodes have them`] : []),
    ...(eventLoop === undefined || eventLoop.ok ? [] : [`its event loop is ${eventLoop.p99Ms} ms late`]),
    ...closedPools.map((pool) => `the pool ${pool} starts no threads`),
  ];
  return ['not ready', ...why].join('\n  ');
}
