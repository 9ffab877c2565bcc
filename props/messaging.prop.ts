import { env } from 'node:process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRuntime, type AgentConfig } from 'holdfast';
import { ON_A_BUSY_MACHINE } from './busy-machine.ts';
import { judge } from './messaging/books.ts';
import { plan, POOLS, type Plan } from './messaging/plan.ts';
import { Post } from './messaging/post.ts';

/** More of them in the long runs before a release: `HOLDFAST_RUNS=1000 npx vitest run props/messaging.prop.ts`. */
const numRuns = Number(env['HOLDFAST_RUNS'] ?? 8);
/** Of all runs, and of shrinking one that failed, so that its seed is printed in any case. */
const timeLimitMs = 60_000 + 4000 * numRuns;
/** What a failure prints: the same runs again, or only the one that failed, shrunk. */
const replay = {
  ...(env['HOLDFAST_SEED'] && { seed: Number(env['HOLDFAST_SEED']) }),
  ...(env['HOLDFAST_PATH'] && { path: env['HOLDFAST_PATH'] }),
};

function agents({ threads, capacity, overflow }: Plan): Record<string, AgentConfig> {
  const config = (threadId: string): AgentConfig => ({
    type: 'thread-bound',
    threadId,
    maxThreads: threads,
    module: new URL('./agents/correspondent.ts', import.meta.url),
    mailbox: { capacity, overflow },
    supervision: {
      intensity: { restarts: 4, withinMs: 60_000 },
      backoff: { minMs: 1, maxMs: 4, factor: 2, jitter: 0.2 },
    },
  });
  return Object.fromEntries(POOLS.map((pool) => [pool, config(pool)]));
}

const logger = { debug() {}, info() {}, warn() {}, error() {} };

test(
  'events of several senders are handled once and in order, or are one dead letter with the right reason',
  { timeout: timeLimitMs + 30_000 },
  async () => {
    const total = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(plan, async (plan) => {
        // Each has a log in shared memory, which is there when its thread is not.
        const threads = Object.fromEntries(
          POOLS.map((pool) => [pool, { ...ON_A_BUSY_MACHINE, sharedMemory: true }]),
        );
        const runtime = await createRuntime({ agents: agents(plan), threads }, { logger });
        const post = new Post(runtime);
        try {
          await post.carryOut(plan);
          const { faults, counts } = judge(post, plan);
          expect(faults).toEqual([]);
          for (const [what, count] of counts) total.set(what, (total.get(what) ?? 0) + count);
        } finally {
          await runtime.stop();
        }
      }),
      { numRuns, ...replay, interruptAfterTimeLimit: timeLimitMs, markInterruptAsFailure: true },
    );
    const wanted = [
      'handled',
      'poison',
      'mailbox-full',
      'stopped',
      'exit',
      'uncaught',
      'fail',
      'ask: confirmed',
    ];
    const missing =
      replay.path === undefined && numRuns >= 25 ? wanted.filter((what) => !total.has(what)) : [];
    expect(missing, 'runs in which none of these happened would prove nothing').toEqual([]);
  },
);
