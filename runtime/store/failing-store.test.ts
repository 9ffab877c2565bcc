import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { toPromise } from 'xstate';
import type { TestRuntime } from 'holdfast/testing';
import { HoldfastError } from '../base/errors.ts';
import { gatedStore } from '../fixtures/gated-store.ts';
import { fixture, nextEvent, start, startTest } from '../fixtures/start.ts';
import type { DurableStore } from './durable-store.ts';
import { durableMemory, memoryDurableStore } from './memory-durable-store.ts';

const soon = (seen: () => unknown): Promise<unknown> => vi.waitFor(seen, { timeout: 20_000 });
const agents = {
  account: fixture('account'),
  plain: fixture('counter', { supervision: { state: 'fresh' } }),
};

/** A runtime on a store whose commits can be made to fail. */
async function run(begin: typeof start | typeof startTest = start) {
  const memory = durableMemory();
  const inner = memoryDurableStore(memory);
  let failure: Error | undefined;
  const store: DurableStore = {
    ...inner,
    commit: (group) => (failure === undefined ? inner.commit(group) : Promise.reject(failure)),
  };
  const runtime = (await begin({ agents }, { store })) as TestRuntime<{ agents: typeof agents }>;
  onTestFinished(() => void (failure = undefined));
  const fail = (error: Error = new Error('no such disk')): void => void (failure = error);
  return { memory, runtime, fail, heal: (): void => void (failure = undefined) };
}

describe('while the store fails', () => {
  it('callers hear at their deadline that nobody knows, and all is told when it works again', async () => {
    const { runtime, fail, heal } = await run();
    const ref = await runtime.spawn('account', { id: 'a' });
    expect(runtime.status().store).toMatchObject({ state: 'ok', waiting: 0 });
    const told: unknown[] = [];
    ref.on('deposited', (event: unknown) => told.push(event));
    fail();
    const warned = nextEvent<{ message: string }>((listener) => runtime.on('warning', listener));
    const patient = ref.ask({ type: 'deposit', amount: 2 }, { timeoutMs: 30_000 });
    await expect(ref.ask({ type: 'deposit', amount: 1 }, { timeoutMs: 100 })).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('nobody knows'),
      retryable: true,
    });
    await expect(ref.snapshot({ timeoutMs: 100 })).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect((await warned).message).toContain('the store failed');
    expect(runtime.status().store).toMatchObject({
      state: 'failing',
      error: { code: 'STORE_FAILED' },
      waiting: 1,
    });
    expect(told).toEqual([]);
    heal();
    expect(await patient).toBe(2);
    await soon(() => expect(told).toHaveLength(2));
    expect(runtime.status().store).toMatchObject({ state: 'ok', waiting: 0 });
  });

  it('a runtime stops within its time, tells nothing that is not committed, and the record is as it was', async () => {
    const { runtime, fail, memory } = await run();
    const ref = await runtime.spawn('account', { id: 'a' });
    const other = await runtime.spawn('account', { id: 'b' });
    await other.ask({ type: 'deposit', amount: 7 });
    await ref.ask({ type: 'deposit', amount: 1 });
    fail();
    const asked = ref.ask({ type: 'deposit', amount: 2 }, { timeoutMs: 60_000 });
    const end = toPromise(ref).catch((error: unknown) => error);
    asked.catch(() => {});
    const threads: string[] = [];
    runtime.on('thread', ({ state }) => threads.push(state));
    await soon(() => expect(runtime.status().store?.state).toBe('failing'));
    await runtime.stop({ timeoutMs: 2000 });
    await expect(asked).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(await end).toMatchObject({ code: 'STORE_FAILED' });
    expect(runtime.status()).toMatchObject({ state: 'stopped', instances: [] });
    expect(threads.at(-1)).toBe('exited');
    expect(memory.records.get('account/a')?.state).toContain('"total":1');
    expect(other.getSnapshot().status).toBe('stopped');
  });

  it('stop() of an instance rejects at its deadline, and the instance ends when the store has it', async () => {
    const { runtime, fail, heal } = await run(startTest);
    const ref = await runtime.spawn('account', { id: 'a' });
    const end = new Promise((resolve) => ref.watch(resolve));
    fail();
    const stopped = ref.stop().catch((error: unknown) => error);
    await runtime.clock.advance(5000);
    expect(await stopped).toMatchObject({ code: 'STORE_FAILED' });
    expect(runtime.status().instances).toMatchObject([{ state: 'stopping' }]);
    heal();
    const again = ref.stop();
    await runtime.clock.advance(4000);
    await again;
    expect(await end).toMatchObject({ reason: 'stopped' });
    expect(runtime.get('account/a')).toBeUndefined();
  });
});

it('a spawn whose load hangs rejects after 5 s', async () => {
  const load: DurableStore['load'] = () => new Promise(() => {});
  const runtime = await startTest({ agents }, { store: { ...memoryDurableStore(), load } });
  const spawned = runtime.spawn('account', { id: 'a' }).catch((error: unknown) => error);
  await runtime.clock.advance(5000);
  expect(await spawned).toMatchObject({ code: 'STORE_FAILED' });
});

it('a runtime whose store another has opened ends its durable instances, and tells nothing more of them', async () => {
  const memory = durableMemory();
  const gate = gatedStore(memory);
  const first = await start({ agents }, { store: gate.store });
  const ref = await first.spawn('account', { id: 'a' });
  const plain = await first.spawn('plain', { id: 'p' });
  expect(await ref.ask({ type: 'deposit', amount: 1 })).toBe(1);
  const told: unknown[] = [];
  ref.on('deposited', (event: unknown) => told.push(event));
  gate.shut();
  const asked = ref.ask({ type: 'deposit', amount: 2 });
  const { go } = await gate.next();
  const second = await start({ agents }, { store: memoryDurableStore(memory) });
  const again = await second.spawn('account', { id: 'a' });
  expect(await again.ask({ type: 'deposit', amount: 10 })).toBe(11);
  const end = toPromise(ref).catch((error: unknown) => error);
  gate.open();
  go();
  await expect(asked).rejects.toMatchObject({ code: 'STORE_LOCKED' });
  expect(await end).toMatchObject({ code: 'STORE_LOCKED' });
  expect(told).toEqual([]);
  expect(first.status().store).toMatchObject({ state: 'locked', error: { code: 'STORE_LOCKED' } });
  expect(await plain.ask({ type: 'read' })).toBe(0);
  expect(await again.ask({ type: 'total' })).toBe(11);
});

describe('a store to which nothing is written', () => {
  /** A runtime over a store that says of itself how it does, and counts how often it is asked. */
  const watched = async () => {
    const memory = durableMemory();
    const inner = memoryDurableStore(memory);
    const looks = { count: 0, finds: undefined as Error | undefined };
    const store: DurableStore = {
      ...inner,
      look: async () => {
        looks.count += 1;
        if (looks.finds !== undefined) throw looks.finds;
      },
    };
    const runtime = await startTest({ agents }, { store });
    return { runtime, looks, state: () => runtime.status().store };
  };

  it('is looked at when nothing was written for 10 s, and its status says when it is away and when it is back', async () => {
    const { runtime, looks, state } = await watched();
    const ref = await runtime.spawn('account', { id: 'a' });
    await runtime.clock.advance(6000);
    await ref.deliver({ type: 'deposit', amount: 1 });
    await runtime.clock.advance(9000);
    expect(looks.count).toBe(0);
    await runtime.clock.advance(1000);
    expect([looks.count, state()]).toMatchObject([1, { state: 'ok' }]);
    looks.finds = new HoldfastError('STORE_FAILED', 'the server is away');
    const warned = nextEvent<{ message: string }>((listener) => runtime.on('warning', listener));
    await runtime.clock.advance(10_000);
    expect(state()).toMatchObject({ state: 'failing', error: { code: 'STORE_FAILED' }, waiting: 0 });
    expect((await warned).message).toContain('the store is away');
    looks.finds = undefined;
    await runtime.clock.advance(2000);
    expect(state()).toMatchObject({ state: 'ok' });
  });

  it('is there when a commit says so', async () => {
    const { runtime, looks, state } = await watched();
    const ref = await runtime.spawn('account', { id: 'a' });
    looks.finds = new Error('the server is away');
    await runtime.clock.advance(10_000);
    expect(state()).toMatchObject({ state: 'failing', error: { code: 'STORE_FAILED' } });
    await ref.deliver({ type: 'deposit', amount: 1 });
    expect(state()).toMatchObject({ state: 'ok' });
  });

  it('has its instances end when another has it', async () => {
    const { runtime, looks, state } = await watched();
    const end = toPromise(await runtime.spawn('account', { id: 'a' })).catch((error: unknown) => error);
    looks.finds = new HoldfastError('STORE_LOCKED', 'another process has it');
    await runtime.clock.advance(10_000);
    expect(await end).toMatchObject({ code: 'STORE_LOCKED' });
    expect(state()).toMatchObject({ state: 'locked' });
  });
});

it('a stop that another runtime came before is not told as done', async () => {
  const memory = durableMemory();
  const gate = gatedStore(memory);
  const first = await start({ agents }, { store: gate.store });
  const ref = await first.spawn('account', { id: 'a' });
  gate.shut();
  const stopped = ref.stop();
  const { go } = await gate.next();
  const second = await start({ agents }, { store: memoryDurableStore(memory) });
  gate.open();
  go();
  await expect(stopped).rejects.toMatchObject({ code: 'STORE_LOCKED' });
  expect(await second.find('account/a')).toBeDefined();
});
