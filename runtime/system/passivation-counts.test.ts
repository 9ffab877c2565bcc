import fc from 'fast-check';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sqliteStore, type AgentRef, type DurableStore } from 'holdfast';
import { memoryDurableStore } from 'holdfast/testing';
import { fixture, start, startTest } from '../fixtures/start.ts';

const IDS = ['a', 'b', 'c', 'd', 'e'];
const AFTER_MS = 100;

type Step =
  | { readonly kind: 'count'; readonly id: string; readonly held: boolean }
  | { readonly kind: 'burst'; readonly id: string; readonly n: number; readonly killed: boolean }
  | { readonly kind: 'tell'; readonly from: string; readonly to: string }
  | { readonly kind: 'fail'; readonly id: string }
  | { readonly kind: 'pass'; readonly ms: number };

const id = fc.constantFrom(...IDS);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('count' as const), id, held: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('burst' as const),
      id,
      n: fc.integer({ min: 1, max: 5 }),
      killed: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('tell' as const), from: id, to: id }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fail' as const), id }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 50, 200, 1000) }),
  },
);

/** What an instance may have counted: what was told at least, what was sent at most. */
class Counted {
  #least = 0;
  #most = 0;

  /** It was told to count, and said how far it is. */
  told(n: unknown): void {
    expect(n).toBeGreaterThan(this.#least);
    expect(n).toBeLessThanOrEqual(this.#most + 1);
    this.#least = this.#most = n as number;
  }

  /** It was told to count, and nobody knows whether it did. */
  sent(n: number): void {
    this.#most += n;
  }

  atLeast(n: number): void {
    this.#least = Math.max(this.#least, n);
  }
}

async function run(steps: readonly Step[], store: DurableStore): Promise<void> {
  const supervision = { intensity: { restarts: 100, withinMs: 50 }, backoff: { minMs: 1, maxMs: 1 } };
  const runtime = await startTest(
    {
      agents: { resting: fixture('resting', { passivateAfterMs: AFTER_MS, maxThreads: 2, supervision }) },
      threads: { pool: { maxResident: 3 } },
    },
    { store },
  );
  /** Lets time pass until it is done, since a restart waits. */
  const through = async <T>(work: Promise<T>): Promise<T> => {
    const over = new AbortController();
    const end = (): void => over.abort();
    work.then(end, end);
    await runtime.settled();
    for (let i = 0; i < 20 && !over.signal.aborted; i++) await runtime.clock.advance(5);
    return work;
  };
  const counted = new Map(IDS.map((id) => [id, new Counted()]));
  const of = (id: string): Counted => counted.get(id) as Counted;
  let held = new Map<string, AgentRef>();
  const refOf = async (id: string): Promise<AgentRef> => {
    const ref = (await through(runtime.getOrSpawn('resting', id))) as AgentRef;
    held.set(id, ref);
    return ref;
  };
  const count = (ref: AgentRef): Promise<unknown> => through(ref.ask({ type: 'count' }));
  for (const step of steps) {
    if (step.kind === 'count')
      of(step.id).told(await count((step.held && held.get(step.id)) || (await refOf(step.id))));
    else if (step.kind === 'burst') {
      const ref = await refOf(step.id);
      const asked = Array.from({ length: step.n }, () => ref.ask({ type: 'count' }));
      of(step.id).sent(step.n);
      const settled = Promise.allSettled(asked);
      if (step.killed) {
        await runtime.restartProcess();
        held = new Map();
      }
      for (const one of await through(settled))
        if (one.status === 'fulfilled') of(step.id).atLeast(one.value as number);
    } else if (step.kind === 'tell') {
      const ref = await refOf(step.from);
      await through(ref.deliver({ type: 'tell', to: `resting/${step.to}` }));
      of(step.to).sent(1);
    } else if (step.kind === 'fail')
      await through((await refOf(step.id)).deliver({ type: 'fail' }).catch(() => {}));
    else await runtime.clock.advance(step.ms);
  }
  await runtime.settled();
  for (const id of IDS) of(id).told(await count(await refOf(id)));
  await runtime.stop();
}

describe('counters that become passive, fail and are killed', () => {
  it('are never wrong, whatever happens in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30, size: 'max' }), (steps) =>
        run(steps, memoryDurableStore()),
      ),
      { numRuns: Math.min(50, Number(process.env['HOLDFAST_RUNS'] ?? 2)) },
    );
  }, 400_000);

  it('are never wrong in a file, on real threads, with more of them than the pool holds', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-passive-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const runtime = await start(
      {
        agents: { resting: fixture('resting', { passivateAfterMs: 30, maxThreads: 2 }) },
        threads: { pool: { maxResident: 8 } },
      },
      { store: sqliteStore({ path: join(folder, 'agents.db'), fsync: 'os' }) },
    );
    const ids = Array.from({ length: 40 }, (_, i) => String(i));
    const walk = async (seed: number): Promise<void> => {
      for (let i = 0; i < 60; i++) {
        const id = ids[(seed * 7 + i * 11) % ids.length] as string;
        const ref = await runtime.getOrSpawn('resting', id);
        await ref.ask({ type: 'count' });
      }
    };
    await Promise.all([1, 2, 3, 4, 5, 6].map(walk));
    let sum = 0;
    for (const id of ids) {
      const ref = await runtime.getOrSpawn('resting', id);
      sum += ((await ref.ask({ type: 'look' })) as { count: number }).count;
    }
    expect(sum).toBe(6 * 60);
    expect(runtime.status().pools[0]?.residents?.passivations).toBeGreaterThan(40);
  });
});
