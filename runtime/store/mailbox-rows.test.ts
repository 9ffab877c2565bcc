import { describe, expect, it } from 'vitest';
import { gatedStore } from '../fixtures/gated-store.ts';
import { fixture, start, startTest } from '../fixtures/start.ts';
import { durableMemory, memoryDurableStore } from './memory-durable-store.ts';

const agents = { account: fixture('account') };

describe('ref.enqueue()', () => {
  it('resolves when its row is committed, while its turn has not come', async () => {
    const gate = gatedStore();
    const runtime = await start({ agents }, { store: gate.store });
    const ref = await runtime.spawn('account', { id: 'a' });
    gate.shut();
    const kept = ref.enqueue({ type: 'deposit', amount: 2 });
    const { group, go } = await gate.next();
    expect(group.rows).toMatchObject([{ to: 'account/a', event: '{"type":"deposit","amount":2}' }]);
    go();
    await kept;
    gate.open();
    expect(await ref.ask({ type: 'total' })).toBe(2);
    expect(await gate.inner.rows('account/a', 0, 10)).toEqual([]);
  });

  it('is done once by the next process when this one ends before its turn was committed', async () => {
    const memory = durableMemory();
    const gate = gatedStore(memory);
    const first = await start({ agents }, { store: gate.store });
    const ref = await first.spawn('account', { id: 'a' });
    await ref.ask({ type: 'deposit', amount: 1 });
    gate.shut();
    const kept = ref.enqueue({ type: 'deposit', amount: 2 });
    (await gate.next()).go();
    await kept;
    // The turn is told and not committed.
    const { group, go } = await gate.next();
    expect(group.turns).toMatchObject([{ address: 'account/a', handled: [1] }]);
    const left = structuredClone(memory);
    gate.open();
    go();
    const second = await start({ agents }, { store: memoryDurableStore(left) });
    const again = await second.spawn('account', { id: 'a' });
    expect(await again.ask({ type: 'deposit', amount: 4 })).toBe(7);
    expect(left.rows.size).toBe(0);
  });

  it('amendment 22: is dropped by no mailbox that drops the oldest, in which it is', async () => {
    const dropping = fixture('diary', { mailbox: { capacity: 2, overflow: 'drop-oldest' } });
    const runtime = await start({ agents: { dropping } }, { store: memoryDurableStore() });
    const ref = await runtime.spawn('dropping', { id: 'a' });
    const kept: Promise<void>[] = [];
    for (let n = 1; n <= 10; n++) {
      kept.push(ref.enqueue({ type: 'note', n }));
      for (let plain = 0; plain < 4; plain++) ref.send({ type: 'note', n: 0 });
    }
    await Promise.all(kept);
    const noted = async (): Promise<readonly number[]> =>
      ((await ref.snapshot()) as { context: { notes: readonly number[] } }).context.notes;
    await expect
      .poll(async () => (await noted()).filter((n) => n > 0), { timeout: 20_000 })
      .toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(runtime.deadLetters.list().length).toBeGreaterThan(0);
    for (const letter of runtime.deadLetters.list()) expect(letter).toMatchObject({ event: { n: 0 } });
  });

  it('amendment 13: is refused by an instance without an id of its caller, of which the store has nothing', async () => {
    const memory = durableMemory();
    const runtime = await start(
      { agents: { diary: fixture('diary') } },
      { store: memoryDurableStore(memory) },
    );
    const unnamed = await runtime.spawn('diary');
    expect(await unnamed.ask({ type: 'note', n: 1 })).toBe(1);
    await expect(unnamed.enqueue({ type: 'note', n: 2 })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    expect([memory.records.size, memory.rows.size]).toEqual([0, 0]);
  });

  it('is refused where no store commits turns', async () => {
    const runtime = await start({ agents });
    const ref = await runtime.spawn('account', { id: 'a' });
    await expect(ref.enqueue({ type: 'total' })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });

  it('is refused with the error of the start when its instance could not be started', async () => {
    const failing = { failing: fixture('failing-start') };
    const runtime = await start({ agents: failing }, { store: memoryDurableStore() });
    const spawning = runtime.spawn('failing', { id: 'a' });
    const kept = runtime.get('failing/a')?.enqueue({ type: 'later' });
    await expect(kept).rejects.toMatchObject({ code: 'AGENT_STOPPED', cause: { message: 'cannot begin' } });
    await expect(spawning).rejects.toThrow('cannot begin');
  });

  it('waits in the store for what the mailbox has no room for, and keeps the order', async () => {
    const small = { diary: fixture('diary', { mailbox: { capacity: 4 } }) };
    const memory = durableMemory();
    const runtime = await start({ agents: small }, { store: memoryDurableStore(memory) });
    const ref = await runtime.spawn('diary', { id: 'a' });
    const numbers = Array.from({ length: 50 }, (_, i) => i + 1);
    await Promise.all(numbers.map((n) => ref.enqueue({ type: 'note', n })));
    await expect.poll(() => memory.rows.size).toBe(0);
    const { context } = await ref.snapshot();
    expect(context.notes).toEqual(numbers);
  });

  it('loads a page at a time of what waits for an instance, before what comes later', async () => {
    const small = { diary: fixture('diary', { mailbox: { capacity: 4 } }) };
    const gate = gatedStore();
    const first = await start({ agents: small }, { store: gate.store });
    const ref = await first.spawn('diary', { id: 'a' });
    gate.shut();
    const kept = Array.from({ length: 20 }, (_, i) => ref.enqueue({ type: 'note', n: i + 1 }));
    const { group, go } = await gate.next();
    expect(group.rows).toHaveLength(20);
    go();
    await Promise.all(kept);
    const left = structuredClone(gate.memory);
    gate.open();
    const second = await start({ agents: small }, { store: memoryDurableStore(left) });
    const again = await second.getOrSpawn('diary', 'a');
    await again.enqueue({ type: 'note', n: 21 });
    await expect.poll(() => left.rows.size).toBe(0);
    const { context } = await again.snapshot();
    expect(context.notes).toEqual(Array.from({ length: 21 }, (_, i) => i + 1));
  });

  it('is handled when its time has come, and not before', async () => {
    const runtime = await startTest({ agents }, { store: memoryDurableStore() });
    const ref = await runtime.spawn('account', { id: 'a' });
    await ref.enqueue({ type: 'deposit', amount: 2 }, { at: runtime.clock.now() + 60_000 });
    await runtime.clock.advance(59_000);
    expect(await ref.ask({ type: 'total' })).toBe(0);
    await runtime.clock.advance(2000);
    expect(await ref.ask({ type: 'total' })).toBe(2);
  });
});
