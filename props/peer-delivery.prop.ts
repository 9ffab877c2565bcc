import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AgentConfig } from 'holdfast';
import { createTestRuntime } from 'holdfast/testing';
import { ledger } from './agents/ledger.ts';

/** More of them in the long runs before a release: `HOLDFAST_RUNS=5000 npm test -- props`. */
const numRuns = Number(process.env['HOLDFAST_RUNS'] ?? 50);
/** As many runs as come to an end by then, however busy the machine is. */
const MOST_MS = 500_000;

const logger = { debug() {}, info() {}, warn() {}, error() {} };

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('forward' as const),
      from: fc.nat({ max: 2 }),
      to: fc.nat({ max: 2 }),
      times: fc.integer({ min: 1, max: 20 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('kill' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(0, 1, 50, 300, 40_000) }),
  },
);

const scenario = fc.record({
  seed: fc.nat({ max: 2 ** 32 - 1 }),
  steps: fc.array(step, { minLength: 1, maxLength: 25 }),
});

function agent(name: string, threadId: string, maxThreads: number): AgentConfig {
  const module = new URL(`./agents/${name}.ts`, import.meta.url);
  return { type: 'thread-bound', threadId, maxThreads, module };
}

test(
  'what one agent sends to another is handled once, in order, or is one dead letter, though the other dies',
  async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async ({ seed, steps }) => {
        ledger().clear();
        const runtime = await createTestRuntime(
          { agents: { from: agent('forwarder', 'senders', 2), to: agent('ledger', 'receivers', 1) } },
          { logger, seed, threads: false },
        );
        const lettered: number[] = [];
        runtime.on('dead-letter', ({ event }) => lettered.push((event as { n: number }).n));
        const senders = [];
        for (const id of ['0', '1', '2']) {
          senders.push(await runtime.spawn('from', { id }));
          await runtime.spawn('to', { id });
        }
        let last = 0;
        const lines = new Map<number, string>();
        for (const next of steps) {
          if (next.do === 'pass') await runtime.clock.advance(next.ms);
          else if (next.do === 'kill') {
            if (
              runtime
                .status()
                .pools.some(({ threadId, threads }) => threadId === 'receivers' && threads.length > 0)
            )
              runtime.faults.killThread('receivers');
          } else {
            for (let i = 0; i < next.times; i++) {
              last += 1;
              lines.set(last, `${next.from} to ${next.to}`);
              senders[next.from]?.send({ type: 'forward', to: `to/${next.to}`, n: last });
            }
          }
        }
        await runtime.clock.advance(60_000);
        const handled = [...ledger().values()].flat();
        await runtime.stop();
        const all = Array.from({ length: last }, (_, i) => i + 1);
        expect([...handled, ...lettered].toSorted((x, y) => x - y)).toEqual(all);
        for (const line of new Set(lines.values())) {
          const ofLine = handled.filter((n) => lines.get(n) === line);
          expect(ofLine).toEqual(ofLine.toSorted((x, y) => x - y));
        }
      }),
      { numRuns, interruptAfterTimeLimit: MOST_MS },
    );
  },
  MOST_MS + 100_000,
);
