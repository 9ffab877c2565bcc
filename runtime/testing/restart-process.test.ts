import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { sqliteStore, type AgentConfig } from 'holdfast';
import {
  createTestRuntime,
  memoryDurableStore,
  type CommitStep,
  type TestRuntime,
  type TestRuntimeOptions,
} from 'holdfast/testing';

const logger = { debug() {}, info() {}, warn() {}, error() {} };
const till: AgentConfig = {
  type: 'thread-bound',
  threadId: 'tills',
  maxThreads: 2,
  module: new URL('./fixtures/till.ts', import.meta.url),
};

describe.each([
  ['in process', false],
  ['on real threads', true],
])('%s', (_where, threads) => {
  async function start(options: TestRuntimeOptions = {}): Promise<TestRuntime> {
    const runtime = await createTestRuntime(
      { agents: { till } },
      { logger, threads, store: memoryDurableStore(), ...options },
    );
    onTestFinished(() => runtime.stop());
    return runtime;
  }

  test('what was told is there in the next process, and refs of before are dead', async () => {
    const runtime = await start();
    const ref = await runtime.getOrSpawn('till', 'a');
    expect(await ref.ask({ type: 'put', n: 2 })).toBe(2);
    await runtime.restartProcess();
    await expect(ref.ask({ type: 'sum' })).rejects.toMatchObject({ code: 'RUNTIME_STOPPED' });
    expect(runtime.get('till/a')).toBeUndefined();
    expect(await runtime.find('till/a')).toMatchObject({ address: 'till/a' });
    const again = await runtime.getOrSpawn('till', 'a');
    expect(again.incarnation).toBe(2);
    expect(await again.ask({ type: 'put', n: 3 })).toBe(5);
  });

  test('time goes on over restarts, and a timer that came due meanwhile fires', async () => {
    const runtime = await start({ now: 1000 });
    const ref = await runtime.spawn('till', { id: 'a' });
    await ref.deliver({ type: 'wait', ms: 500 });
    await runtime.clock.advance(300);
    await runtime.restartProcess();
    expect(runtime.clock.now()).toBe(1300);
    await runtime.clock.advance(199);
    expect(runtime.get('till/a')).toBeUndefined();
    await runtime.clock.advance(101);
    const again = await runtime.getOrSpawn('till', 'a');
    expect(await again.ask({ type: 'sum' })).toEqual({ sum: 0, rang: 1 });
  });

  test.each(['before', 'within', 'after'] as const)(
    'a commit that fails %s its transaction is sent again and counts once',
    async (at: CommitStep) => {
      const runtime = await start();
      const ref = await runtime.spawn('till', { id: 'a' });
      const fault = runtime.faults.commit(at);
      expect([fault.fired, runtime.faults.pending()]).toEqual([false, [fault]]);
      const answer = ref.ask({ type: 'put', n: 1 });
      await runtime.settled();
      expect(fault).toMatchObject({ kind: 'fail-commit', thread: undefined, fired: true });
      const kept = ref.enqueue({ type: 'put', n: 1 });
      await runtime.clock.advance(1000);
      expect(await answer).toBe(1);
      await kept;
      await runtime.restartProcess();
      const again = await runtime.getOrSpawn('till', 'a');
      expect(await again.ask({ type: 'sum' })).toEqual({ sum: 2, rang: 0 });
    },
  );

  test.each([
    ['before', 1],
    ['within', 1],
    ['after', 3],
  ] as const)(
    'a process that is killed %s a commit tells nothing of it, and the next one has %d in the till',
    async (at, sum) => {
      const runtime = await start();
      const ref = await runtime.spawn('till', { id: 'a' });
      const heard = runtime.probe();
      ref.on('*', heard.send);
      await ref.ask({ type: 'put', n: 1 });
      const fault = runtime.faults.commit(at, { kill: true });
      const lost = ref.ask({ type: 'put', n: 2 }).catch((error: unknown) => error);
      await runtime.settled();
      expect(fault.fired).toBe(true);
      await runtime.restartProcess();
      expect(await lost).toMatchObject({ name: 'HoldfastError' });
      const again = await runtime.getOrSpawn('till', 'a');
      expect(await again.ask({ type: 'sum' })).toEqual({ sum, rang: 0 });
      expect(heard.events).toEqual([{ type: 'sum', sum: 1 }]);
    },
  );

  test('an instance leaves memory by the clock, and comes back as it was', async () => {
    const runtime = await createTestRuntime(
      { agents: { till: { ...till, passivateAfterMs: 60_000 } } },
      { logger, threads, store: memoryDurableStore() },
    );
    onTestFinished(() => runtime.stop());
    const ref = await runtime.spawn('till', { id: 'a' });
    await ref.ask({ type: 'put', n: 2 });
    await runtime.clock.advance(30_000);
    expect(runtime.get('till/a')).toBeDefined();
    await runtime.clock.advance(90_000);
    expect(runtime.get('till/a')).toBeUndefined();
    expect(await ref.ask({ type: 'put', n: 3 })).toBe(5);
    expect(ref.incarnation).toBe(1);
  });

  test('what was kept is handled once in the next process, without anybody asking for it', async () => {
    const runtime = await start();
    const ref = await runtime.spawn('till', { id: 'a' });
    await ref.enqueue({ type: 'put', n: 7 }, { at: 5000 });
    await runtime.restartProcess();
    await runtime.clock.advance(6000);
    expect(await runtime.get('till/a')?.ask({ type: 'sum' })).toEqual({ sum: 7, rang: 0 });
  });

  test.each(['advance', 'stop'] as const)(
    'a process may be killed in the middle of %s, which goes on without it',
    async (call) => {
      const runtime = await start();
      const ref = await runtime.spawn('till', { id: 'a' });
      const faults = [runtime.faults.commit('before'), runtime.faults.commit('after', { kill: true })];
      const lost = ref.ask({ type: 'put', n: 1 }).catch((error: unknown) => error);
      if (call === 'advance') await runtime.clock.advance(5000);
      else await runtime.stop();
      expect(faults.map(({ fired }) => fired)).toEqual([true, true]);
      expect(await lost).toMatchObject({ name: 'HoldfastError' });
      await runtime.restartProcess();
      expect(await (await runtime.getOrSpawn('till', 'a')).ask({ type: 'put', n: 1 })).toBe(2);
    },
  );

  test('a stop that was not committed is not told as done', async () => {
    const runtime = await start();
    const ref = await runtime.spawn('till', { id: 'a' });
    const fault = runtime.faults.commit('before', { kill: true });
    const stopped = ref.stop().catch((error: unknown) => error);
    await runtime.settled();
    await runtime.restartProcess();
    expect([fault.fired, await stopped]).toMatchObject([true, { name: 'HoldfastError' }]);
    expect(await runtime.find('till/a')).toBeDefined();
  });

  test('after a stop the next process begins as after a deployment', async () => {
    const runtime = await start();
    const ref = await runtime.spawn('till', { id: 'a' });
    ref.send({ type: 'put', n: 1 });
    await runtime.stop();
    await runtime.restartProcess();
    const again = await runtime.getOrSpawn('till', 'a');
    expect(await again.ask({ type: 'put', n: 1 })).toBe(2);
  });

  test('a store in a file is ended with its process and opened again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-restart-'));
    const runtime = await start({ store: sqliteStore({ path: join(folder, 'store.db'), fsync: 'os' }) });
    onTestFinished(async () => {
      await runtime.stop();
      await rm(folder, { recursive: true, force: true });
    });
    const ref = await runtime.spawn('till', { id: 'a' });
    await ref.ask({ type: 'put', n: 1 });
    const fault = runtime.faults.commit('within');
    const answer = ref.ask({ type: 'put', n: 1 });
    await runtime.clock.advance(1000);
    expect([await answer, fault.fired]).toEqual([2, true]);
    await runtime.restartProcess();
    expect(await (await runtime.getOrSpawn('till', 'a')).ask({ type: 'put', n: 1 })).toBe(3);
  });
});

test('a fault of a commit is refused where nothing is committed', async () => {
  const runtime = await createTestRuntime({ agents: { till } }, { logger });
  expect(() => runtime.faults.commit('before')).toThrow('such as memoryDurableStore()');
  await runtime.stop();
});
