import type { LoadedConfig, ResolvedPool } from '../config/resolve.ts';
import { guide } from '../base/guide.ts';
import { openAttacks, selfTest, type AttackRow } from './self-test.ts';

/** What was found to be open and closed in one pool, on this Node. JSON-safe. */
export interface PoolIsolation {
  readonly threadId: string;
  readonly isolation: ResolvedPool['isolation'];
  readonly node: string;
  readonly attacks: readonly AttackRow[];
}

/** Modules of the agents that may run in a pool. */
export function modulesOf({ agents }: Pick<LoadedConfig, 'agents'>, threadId: string): string[] {
  return agents.filter((agent) => agent.threadId === threadId).map(({ moduleUrl }) => moduleUrl);
}

/** Tries the isolation of every pool, one after the other. */
export async function isolationReport(
  config: Pick<LoadedConfig, 'agents' | 'pools'>,
): Promise<PoolIsolation[]> {
  const report: PoolIsolation[] = [];
  for (const pool of config.pools) {
    const { threadId, isolation } = pool;
    const attacks = (await selfTest(pool, modulesOf(config, threadId))) ?? [];
    report.push({ threadId, isolation, node: process.version, attacks });
  }
  return report;
}

/** What stands open in a pool, and what to do about it; `undefined` when nothing does. */
export function openText({ threadId, isolation, attacks }: Omit<PoolIsolation, 'node'>): string | undefined {
  const open = openAttacks(attacks);
  if (open.length === 0) return undefined;
  const advice =
    isolation === 'thread'
      ? `write threads: { "${threadId}": { isolation: 'thread+permissions' } }`
      : `keep agents that you do not trust in a process of their own, see ${guide('isolation.md')}`;
  return `pool "${threadId}" (${isolation}): open on Node ${process.version} are ${open.join(', ')}; ${advice}`;
}
