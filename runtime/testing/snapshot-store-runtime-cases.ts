import assert from 'node:assert/strict';
import type { SnapshotStore } from '../store/snapshot-store.ts';
import { createTestRuntime, type TestRuntime } from './test-runtime.ts';

const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
const module = new URL(`./store-agent${extension}`, import.meta.url);

const config = {
  agents: {
    counter: {
      type: 'thread-bound',
      threadId: 'store-test',
      maxThreads: 1,
      module,
      supervision: { state: 'snapshot', timers: 'deadline' },
    },
  },
} as const;

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** One process after the other, with the same records. */
async function life(
  store: SnapshotStore,
  now: number,
  deadlineMs: number,
  live: (runtime: TestRuntime, ref: Awaited<ReturnType<TestRuntime['spawn']>>) => Promise<void>,
): Promise<void> {
  const runtime = await createTestRuntime(config, { store, now, logger: silent, threads: false });
  try {
    const ref = await runtime.spawn('counter', { id: 'a' });
    await live(runtime, ref);
    const { n } = (await ref.ask({ type: 'read' })) as { n: number };
    await untilStored(store, ref.incarnation, n, deadlineMs);
  } finally {
    await runtime.stop();
  }
}

async function untilStored(
  store: SnapshotStore,
  incarnation: number,
  n: number,
  deadlineMs: number,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const stored = await store.load('counter/a');
    const { context } = (stored?.snapshot ?? {}) as { context?: { n?: number } };
    if (stored?.incarnation === incarnation && context?.n === n) return;
    assert.ok(performance.now() < end, `the store does not have the state after ${deadlineMs} ms`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const add = { type: 'add' };
const read = { type: 'read' };

/** What comes of a store in a runtime. */
export const runtimeCases: Record<
  string,
  (store: SnapshotStore, reopen: () => Promise<SnapshotStore>, deadlineMs: number) => Promise<void>
> = {
  async 'an instance goes on from what is stored, also without a later event, with its children and its timers'(
    store,
    reopen,
    deadlineMs,
  ) {
    await life(store, 0, deadlineMs, async (_runtime, ref) => {
      await ref.deliver(add);
      await ref.deliver(add);
    });
    const second = await reopen();
    // No event comes in this life; what it leaves is what it found.
    await life(second, 20_000, deadlineMs, async (_runtime, ref) => {
      assert.equal(ref.incarnation, 2);
      assert.deepEqual(await ref.ask(read), { n: 2, echo: 2, value: 'waiting' });
    });
    const third = await reopen();
    await life(third, 40_000, deadlineMs, async (runtime, ref) => {
      assert.equal(ref.incarnation, 3);
      await ref.deliver(add);
      assert.deepEqual(await ref.ask(read), { n: 3, echo: 3, value: 'waiting' });
      await runtime.clock.advance(19_999);
      assert.equal(((await ref.ask(read)) as { value: unknown }).value, 'waiting');
      await runtime.clock.advance(1);
      assert.equal(((await ref.ask(read)) as { value: unknown }).value, 'late');
    });
  },
  async 'the state of an instance whose thread is lost is in the store with its next incarnation'(
    store,
    _reopen,
    deadlineMs,
  ) {
    await life(store, 0, deadlineMs, async (runtime, ref) => {
      await ref.deliver(add);
      runtime.faults.killThread('counter/a');
      await runtime.clock.advance(1000);
      assert.deepEqual(await ref.ask(read), { n: 1, echo: 1, value: 'waiting' });
    });
    assert.equal((await store.load('counter/a'))?.incarnation, 2);
  },
};
