import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRuntime } from 'holdfast';
import { ON_A_BUSY_MACHINE } from './busy-machine.ts';

const numRuns = Number(process.env['HOLDFAST_RUNS'] ?? 3);
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const WAIT = { timeoutMs: 60_000 };
const supervision = {
  restart: 'permanent',
  backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 },
  intensity: { restarts: 100_000, withinMs: 1000 },
} as const;

const agent = (name: string) =>
  ({
    type: 'thread-bound',
    threadId: name,
    maxThreads: 1,
    supervision,
    module: new URL(`../runtime/fixtures/${name}.ts`, import.meta.url),
  }) as const;

test('a thread that says again what it has said, with other parts, costs nobody else anything', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.nat(10_000), { minLength: 3, maxLength: 7 }), { minLength: 1, maxLength: 20 }),
      async (sayings) => {
        const runtime = await createRuntime(
          {
            agents: { rogue: agent('rogue'), counter: agent('counter') },
            threads: { rogue: ON_A_BUSY_MACHINE, counter: ON_A_BUSY_MACHINE },
          },
          { logger: silent },
        );
        const [rogue, good] = [await runtime.spawn('rogue'), await runtime.spawn('counter')];
        rogue.subscribe({ error: () => {} });
        await rogue.ask({ type: 'ping' }, WAIT);
        for (const picks of sayings) rogue.send({ type: 'mutate', picks });
        // With its own lies it can lose its own answers, and no others'.
        await rogue.ask({ type: 'ping' }, { timeoutMs: 100 }).catch(() => {});
        await expect(good.ask({ type: 'read' }, WAIT)).resolves.toBe(0);
        expect(runtime.status().instances.map(({ state }) => state)).not.toContain('ended');
        // It may be waiting for what it has said of itself.
        await runtime.stop({ timeoutMs: 4000 });
        expect(runtime.status().instances).toEqual([]);
      },
    ),
    { numRuns },
  );
});
