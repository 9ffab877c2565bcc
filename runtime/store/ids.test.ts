import { describe, expect, it } from 'vitest';
import { gatedStore } from '../fixtures/gated-store.ts';
import { fixture, start, startTest } from '../fixtures/start.ts';
import { durableMemory, memoryDurableStore } from './memory-durable-store.ts';

const agents = { diary: fixture('diary') };

describe('an event with an id', () => {
  it('is handled once, and whoever asks again gets the same answer, while it is in flight and later', async () => {
    const gate = gatedStore();
    const runtime = await start({ agents }, { store: gate.store });
    const ref = await runtime.spawn('diary', { id: 'a' });
    gate.shut();
    const first = ref.ask({ type: 'note', n: 1 }, { id: 'one' });
    const { group, go } = await gate.next();
    expect(group.turns).toMatchObject([
      { ids: [{ id: 'one', caller: 'host', outcome: 'done', value: '1' }] },
    ]);
    const second = ref.ask({ type: 'note', n: 1 }, { id: 'one' });
    gate.open();
    go();
    expect(await Promise.all([first, second])).toEqual([1, 1]);
    expect(await ref.ask({ type: 'note', n: 2 })).toBe(2);
    expect(await ref.ask({ type: 'note', n: 1 }, { id: 'one' })).toBe(1);
    await ref.deliver({ type: 'note', n: 1 }, { id: 'one' });
    await ref.enqueue({ type: 'note', n: 1 }, { id: 'one' });
    expect((await ref.snapshot()).context.notes).toEqual([1, 2]);
  });

  it('amendment 14: gives the answer in the next process, and is refused with another event', async () => {
    const memory = durableMemory();
    const first = await start({ agents }, { store: memoryDurableStore(memory) });
    const before = await first.spawn('diary', { id: 'a' });
    await before.ask({ type: 'note', n: 1 }, { id: 'one' });
    await first.stop();
    const second = await start({ agents }, { store: memoryDurableStore(memory) });
    const ref = await second.spawn('diary', { id: 'a' });
    expect(await ref.ask({ type: 'note', n: 1 }, { id: 'one' })).toBe(1);
    await expect(ref.ask({ type: 'note', n: 7 }, { id: 'one' })).rejects.toMatchObject({ code: 'ID_REUSED' });
    expect((await ref.snapshot()).context.notes).toEqual([1]);
  });

  it('has its place from the call on, while the store is asked', async () => {
    const runtime = await start({ agents }, { store: memoryDurableStore() });
    const ref = await runtime.spawn('diary', { id: 'a' });
    await Promise.all([
      ref.enqueue({ type: 'note', n: 1 }, { id: 'one' }),
      ref.ask({ type: 'note', n: 2 }),
      ref.deliver({ type: 'note', n: 3 }, { id: 'three' }),
      ref.enqueue({ type: 'note', n: 4 }),
      ref.ask({ type: 'note', n: 5 }, { id: 'five' }),
      ref.deliver({ type: 'note', n: 6 }),
    ]);
    expect((await ref.snapshot()).context.notes).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('that is due later is waited for by who sends it again in the next process', async () => {
    const runtime = await startTest({ agents }, { store: memoryDurableStore() });
    const event = { type: 'note', n: 1 };
    const before = await runtime.spawn('diary', { id: 'a' });
    await before.enqueue(event, { id: 'one', at: runtime.clock.now() + 60_000 });
    await runtime.restartProcess();
    const ref = await runtime.getOrSpawn('diary', 'a');
    const told: string[] = [];
    const delivered = ref.deliver(event, { id: 'one', timeoutMs: 90_000 }).then(() => told.push('delivered'));
    // The store has been asked about the id by then.
    expect(await ref.ask({ type: 'note', n: 2 }, { id: 'two' })).toBe(1);
    expect(told).toEqual([]);
    await runtime.clock.advance(61_000);
    await delivered;
    expect((await ref.snapshot()).context.notes).toEqual([2, 1]);
  });

  it('is not handled again when its answer is too long to be kept', async () => {
    const runtime = await start({ agents }, { store: memoryDurableStore() });
    const ref = await runtime.spawn('diary', { id: 'a' });
    const event = { type: 'long', characters: 70_000 } as const;
    expect(await ref.ask(event, { id: 'long' })).toHaveLength(70_000);
    await expect(ref.ask(event, { id: 'long' })).rejects.toMatchObject({ code: 'ANSWER_NOT_KEPT' });
    await ref.deliver(event, { id: 'long' });
  });

  it('keeps the error when its turn threw, and its row is a letter', async () => {
    const memory = durableMemory();
    const runtime = await start({ agents }, { store: memoryDurableStore(memory) });
    const ref = await runtime.spawn('diary', { id: 'a' });
    const torn = { message: 'torn' };
    await expect(ref.ask({ type: 'tear', n: 1 }, { id: 'one' })).rejects.toMatchObject(torn);
    await expect(ref.deliver({ type: 'tear', n: 1 }, { id: 'one' })).rejects.toMatchObject(torn);
    await ref.enqueue({ type: 'tear', n: 2 }, { id: 'two' });
    await expect(ref.deliver({ type: 'tear', n: 2 }, { id: 'two' })).rejects.toMatchObject(torn);
    await expect.poll(() => [...memory.letters.values()]).toMatchObject([{ reason: 'crashed' }]);
    expect(memory.rows.size).toBe(0);
    expect((await ref.snapshot()).context.notes).toEqual([]);
  });

  it('amendment 14: stays open while its ask is put off, and the next process answers who asks again', async () => {
    const memory = durableMemory();
    const gate = gatedStore(memory);
    const first = await start({ agents }, { store: gate.store });
    const before = await first.spawn('diary', { id: 'a' });
    const never = before.ask({ type: 'later', n: 1 }, { id: 'one', timeoutMs: 60_000 });
    never.catch(() => {});
    await before.ask({ type: 'note', n: 2 });
    const left = structuredClone(memory);
    const second = await start({ agents }, { store: memoryDurableStore(left) });
    const ref = await second.spawn('diary', { id: 'a' });
    const again = ref.ask({ type: 'later', n: 1 }, { id: 'one', timeoutMs: 60_000 });
    await ref.deliver({ type: 'answer' });
    expect(await again).toBe(2);
    expect(await ref.ask({ type: 'later', n: 1 }, { id: 'one' })).toBe(2);
    expect((await ref.snapshot()).context.notes).toEqual([1, 2]);
    expect([...left.records.values()].map(({ meta }) => meta)).toEqual(['{}']);
  });

  it('is checked at the door', async () => {
    const runtime = await start({ agents }, { store: memoryDurableStore() });
    const ref = await runtime.spawn('diary', { id: 'a' });
    const code = 'OPTION_INVALID';
    await expect(ref.ask({ type: 'note', n: 1 }, { id: '' })).rejects.toMatchObject({ code });
    await expect(ref.deliver({ type: 'note', n: 1 }, { id: 7 as never })).rejects.toMatchObject({ code });
    for (const at of ['soon' as never, Number.NaN, 1e300])
      await expect(ref.enqueue({ type: 'note', n: 1 }, { at })).rejects.toMatchObject({ code });
    const plain = await (await start({ agents })).spawn('diary', { id: 'a' });
    await expect(plain.ask({ type: 'note', n: 1 }, { id: 'one' })).rejects.toMatchObject({ code });
  });

  it('may come again where the store had no room for it, and is handled then', async () => {
    const memory = memoryDurableStore();
    let isFull = false;
    const store: typeof memory = {
      ...memory,
      commit: async ({ rows, ids, ...group }) => {
        if (!isFull || rows === undefined) return memory.commit({ rows, ids, ...group });
        const result = await memory.commit({ ...group, ids: [] });
        return { ...result, refused: { addresses: [], rows: rows.map(({ n }) => n) } };
      },
    };
    const runtime = await start({ agents }, { store });
    const ref = await runtime.spawn('diary', { id: 'a' });
    const one = { type: 'note', n: 1 } as const;
    isFull = true;
    await expect(ref.enqueue(one, { id: 'one', at: Date.now() + 3_600_000 })).rejects.toMatchObject({
      code: 'STORE_FAILED',
    });
    // What its thread has by then is handled, and counts as kept with its turn.
    await ref.enqueue({ type: 'note', n: 2 }, { id: 'two' });
    isFull = false;
    expect(await ref.ask(one, { id: 'one' })).toBe(2);
    await ref.enqueue({ type: 'note', n: 2 }, { id: 'two' });
    expect((await ref.snapshot()).context.notes).toEqual([2, 1]);
  });
});
