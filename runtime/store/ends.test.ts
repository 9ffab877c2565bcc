import { describe, expect, it, vi } from 'vitest';
import { toPromise } from 'xstate';
import { gatedStore } from '../fixtures/gated-store.ts';
import { fixture, start } from '../fixtures/start.ts';
import { durableMemory, memoryDurableStore } from './memory-durable-store.ts';

const soon = (seen: () => unknown): Promise<unknown> => vi.waitFor(seen, { timeout: 20_000 });
const supervision = { backoff: { minMs: 1, maxMs: 5, factor: 2, jitter: 0 } } as const;
const account = fixture('account', { supervision });
const agents = {
  account,
  once: { ...account, supervision: { ...supervision, restart: 'temporary' } },
  always: { ...account, supervision: { ...supervision, restart: 'permanent' } },
} as const;

async function run(memory = durableMemory()) {
  const gate = gatedStore(memory);
  return { gate, memory, runtime: await start({ agents }, { store: gate.store }) };
}

/** Whether a promise has settled, once everything that is under way here is through. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  const turn = new Promise((resolve) => setImmediate(() => setImmediate(() => resolve(pending))));
  return (await Promise.race([promise.catch(() => {}), turn])) === pending;
}

describe('the end of a durable instance is told when it is committed', () => {
  it('by itself: its output, its watchers, and the next spawn at its address', async () => {
    const { gate, runtime, memory } = await run();
    const ref = await runtime.spawn('account', { id: 'a' });
    await ref.ask({ type: 'deposit', amount: 2 });
    const [output, watched] = [toPromise(ref), new Promise((resolve) => ref.watch(resolve))];
    gate.shut();
    ref.send({ type: 'close' });
    const { group, go } = await gate.next();
    expect(group.turns).toMatchObject([{ address: 'account/a', end: true }]);
    expect([await isPending(output), await isPending(watched)]).toEqual([true, true]);
    await expect(runtime.spawn('account', { id: 'a' })).rejects.toMatchObject({ code: 'ADDRESS_TAKEN' });
    gate.open();
    go();
    expect([await output, await watched]).toMatchObject([2, { reason: 'done' }]);
    expect(memory.records.size).toBe(0);
  });

  it('by stop(), whose promise waits; the next spawn at its address begins anew after it', async () => {
    const { gate, runtime, memory } = await run();
    const ref = await runtime.spawn('account', { id: 'a' });
    await ref.ask({ type: 'deposit', amount: 2 });
    gate.shut();
    const stopped = ref.stop();
    const { group, go } = await gate.next();
    expect(group.turns).toMatchObject([{ end: true }]);
    const again = runtime.getOrSpawn('account', 'a');
    expect([await isPending(stopped), await isPending(again)]).toEqual([true, true]);
    expect(memory.records.size).toBe(1);
    gate.open();
    go();
    await stopped;
    expect(await (await again).ask({ type: 'total' })).toBe(0);
  });

  it('by a failure that is its last: error, watchers and address', async () => {
    const { gate, runtime, memory } = await run();
    const ref = await runtime.spawn('once', { id: 'a' });
    const [end, watched] = [
      toPromise(ref).catch((error: unknown) => error),
      new Promise((resolve) => ref.watch(resolve)),
    ];
    gate.shut();
    ref.send({ type: 'overdraw', amount: 2 });
    const { group, go } = await gate.next();
    expect(group.turns).toMatchObject([{ address: 'once/a', end: true }]);
    expect([await isPending(end), await isPending(watched)]).toEqual([true, true]);
    gate.open();
    go();
    expect([await end, await watched]).toMatchObject([{ message: 'overdrawn' }, { reason: 'error' }]);
    expect(memory.records.size).toBe(0);
  });
});

describe('a permanent instance that is done', () => {
  it('begins anew, with its rows, and the process before may be gone', async () => {
    const { gate, runtime, memory } = await run();
    const ref = await runtime.spawn('always', { id: 'a' });
    await ref.ask({ type: 'deposit', amount: 2 });
    gate.shut();
    const closed = ref.deliver({ type: 'close' });
    const first = await gate.next();
    const row = ref.enqueue({ type: 'deposit', amount: 5 });
    first.go();
    gate.open();
    await closed;
    await row;
    await soon(async () => expect(await ref.ask({ type: 'total' })).toBe(5));
    expect(memory.letters.size).toBe(0);
    await runtime.stop();
    const next = await run(memory);
    const again = await next.runtime.spawn('always', { id: 'a' });
    expect(await again.ask({ type: 'total' })).toBe(5);
  });

  it('begins anew in the next process, when the first one ended before it could', async () => {
    const { gate, runtime, memory } = await run();
    const ref = await runtime.spawn('always', { id: 'a' });
    await ref.ask({ type: 'deposit', amount: 2 });
    gate.shut();
    const closed = ref.deliver({ type: 'close' });
    const done = await gate.next();
    done.go();
    await closed;
    // All that it wrote afterwards is lost.
    const copy = structuredClone(memory);
    gate.open();
    const next = await start({ agents }, { store: memoryDurableStore(copy) });
    const again = await next.spawn('always', { id: 'a' });
    expect(await again.ask({ type: 'incarnation' })).toBe(2);
    expect(await again.ask({ type: 'total' })).toBe(0);
  });
});

describe('a spawn with an id', () => {
  it('amendment 13: resolves when its first state is committed', async () => {
    const { gate, runtime, memory } = await run();
    gate.shut();
    const spawned = runtime.spawn('account', { id: 'a' });
    const { go } = await gate.next();
    expect([await isPending(spawned), memory.records.size]).toEqual([true, 0]);
    go();
    await spawned;
    expect([...memory.records.keys()]).toEqual(['account/a']);
    gate.open();
  });
});
