import { expect, test } from 'vitest';
import type { RuntimeEvents } from 'holdfast';
import { fixture, startTest } from '../fixtures/start.ts';
import { HeapBudget } from './heap-budget.ts';
import { FakeClock } from '../mailbox/fixtures/fake-clock.ts';

function rig() {
  const clock = new FakeClock();
  const exceeded: number[] = [];
  const heap = { used: 0 as number | undefined | Error };
  const budget = new HeapBudget({
    clock: {
      now: () => clock.now(),
      date: () => clock.date(),
      setTimeout: (run, ms) => clock.setTimeout(run, ms),
      clearTimeout: (handle) => clock.clearTimeout(handle),
      random: () => 0,
    },
    budget: 100,
    used: () => (heap.used instanceof Error ? Promise.reject(heap.used) : Promise.resolve(heap.used)),
    exceeded: () => void exceeded.push(clock.now() / 1000),
  });
  const pass = async (seconds: number, used: typeof heap.used): Promise<void> => {
    heap.used = used;
    for (let i = 0; i < seconds; i++) {
      clock.pass(1000);
      for (let turn = 0; turn < 4; turn++) await Promise.resolve();
    }
  };
  return { pass, exceeded, budget, clock };
}

test('a thread that keeps more than its budget for five looks in a row is to be replaced', async () => {
  const { pass, exceeded } = rig();
  await pass(60, 100);
  await pass(4, 101);
  await pass(1, 100);
  expect(exceeded).toEqual([]);
  await pass(5, 101);
  expect(exceeded).toEqual([70]);
});

test('a thread is not replaced in its first minute, nor tried again within one', async () => {
  const { pass, exceeded } = rig();
  await pass(200, 101);
  expect(exceeded).toEqual([60, 120, 180]);
});

test('nobody is replaced for a heap that cannot be looked into, and the end is the end', async () => {
  const { pass, exceeded, budget, clock } = rig();
  await pass(70, undefined);
  await pass(10, new Error('not running'));
  expect(exceeded).toEqual([]);
  budget.end();
  await pass(100, 101);
  expect([exceeded, clock.pending]).toEqual([[], 0]);
});

test(
  'what an agent leaves behind in its thread is gone with the thread; its state is not',
  { timeout: 60_000 },
  async () => {
    const runtime = await startTest(
      { agents: { leaky: fixture('leaky') }, threads: { pool: { heapBudgetMb: 40 } } },
      { threads: true },
    );
    const states: string[] = [];
    runtime.on('agent', ({ state }) => states.push(state));
    const warned = new Promise<RuntimeEvents['warning']>((resolve) => {
      runtime.on('warning', resolve);
    });
    const ref = await runtime.spawn('leaky', { id: 'a' });
    await ref.deliver({ type: 'leak', mb: 60 });
    for (let i = 0; i < 300 && !states.includes('moving'); i++) await runtime.clock.advance(1000);
    await runtime.clock.advance(1000);
    expect(await warned).toMatchObject({ thread: 'holdfast:pool:1', budgetMb: 40 });
    expect(states).toEqual(['running', 'moving', 'running']);
    expect(await ref.ask({ type: 'read' })).toEqual({ leaks: 1, mb: 0 });
    expect(runtime.status().pools[0]?.endedThreads).toEqual({ recycled: 1 });
  },
);
