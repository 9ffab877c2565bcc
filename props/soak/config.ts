import type { AgentConfig, RuntimeConfig } from 'holdfast';
import { POOLS, TEAMS, type Team } from './roster.ts';

/** Milliseconds after which a thread that hangs is ended. */
const KILL_MS = 800;

const supervision: Readonly<Record<string, AgentConfig['supervision']>> = {
  free: { restart: 'transient' },
  keep: { restart: 'transient', state: 'snapshot' },
  tiny: { restart: 'permanent' },
  all: { strategy: 'all-for-one' },
  rest: { strategy: 'rest-for-one' },
  once: { restart: 'temporary' },
};

function agentOf({ agent, threadId, maxThreads }: Team): AgentConfig {
  return {
    type: 'thread-bound',
    threadId,
    maxThreads,
    module: new URL('./agents/subject.ts', import.meta.url),
    ...(agent === 'once' && { placement: 'exclusive' as const }),
    ...(agent === 'tiny' && {
      placement: { key: true as const },
      mailbox: { capacity: 64, overflow: 'drop-oldest' as const },
    }),
    supervision: {
      // So that it happens now and then, and not all the time.
      intensity: { restarts: 3, withinMs: 5000 },
      backoff: { minMs: 5, maxMs: 200, factor: 2, jitter: 0.2 },
      ...supervision[agent],
    },
  };
}

/** All teams in their pools. */
export function soakConfig(): RuntimeConfig {
  return {
    agents: Object.fromEntries(TEAMS.map((team) => [team.agent, agentOf(team)])),
    threads: Object.fromEntries(
      POOLS.map(({ threadId }) => [
        threadId,
        {
          sharedMemory: true,
          watchdog: { warnMs: 100, killMs: KILL_MS },
          // Quarantined instances are resumed here, and are not to close the pool.
          intensity: { restarts: 100_000, withinMs: 1000 },
          ...(TEAMS.some((team) => team.threadId === threadId && team.small) && {
            resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 },
          }),
        },
      ]),
    ),
  };
}
