import { describe, expect, it, vi } from 'vitest';
import { gatedStore } from '../fixtures/gated-store.ts';
import { fixture, start } from '../fixtures/start.ts';
import { durableMemory, memoryDurableStore } from './memory-durable-store.ts';
import type { NodeCommitResult } from './partitioned-store.ts';

const soon = (seen: () => void): Promise<void> => vi.waitFor(seen, { timeout: 20_000 });
const agents = { account: fixture('account', { mailbox: { overflow: 'drop-oldest', capacity: 4 } }) };

describe('the dead letter of an event that was in the store', () => {
  it('amendment 22: is listed by the next process, and its replay makes it a row again in one transaction', async () => {
    const memory = durableMemory();
    const first = await start({ agents }, { store: memoryDurableStore(memory) });
    const ref = await first.spawn('account', { id: 'a' });
    const other = await first.spawn('account', { id: 'b' });
    await ref.enqueue({ type: 'overdraw', amount: 5 });
    await soon(() => expect(memory.letters.size).toBe(1));
    expect(first.deadLetters.list()).toMatchObject([
      { id: [...memory.letters.keys()][0], reason: 'crashed', stored: true },
    ]);
    await other.stop();
    await first.stop();
    const gate = gatedStore(memory);
    const second = await start({ agents }, { store: gate.store });
    const [letter] = second.deadLetters.list();
    expect(letter).toMatchObject({
      address: 'account/a',
      event: { type: 'overdraw', amount: 5 },
      stored: true,
    });
    gate.shut();
    const replayed = second.deadLetters.replay(letter?.id ?? '');
    const { group, go } = await gate.next();
    expect(group).toMatchObject({
      rows: [{ to: 'account/a', attempts: 0 }],
      removedLetters: [letter?.id],
    });
    gate.open();
    go();
    await replayed;
    // It wakes its instance, fails as before, and is another letter.
    await soon(() => expect([...memory.letters.keys()]).not.toContain(letter?.id));
    await soon(() => expect(second.deadLetters.list()).toMatchObject([{ reason: 'crashed', stored: true }]));
    expect(memory.rows.size).toBe(0);
  });

  it('stays listed when the store has no room for its event', async () => {
    const memory = durableMemory();
    const store = memoryDurableStore(memory);
    const full: typeof store = {
      ...store,
      commit: async (group) =>
        group.removedLetters === undefined
          ? store.commit(group)
          : {
              fenced: [],
              unknown: [],
              refused: { addresses: [], rows: (group.rows ?? []).map(({ n }) => n) },
            },
    };
    const runtime = await start({ agents }, { store: full });
    const ref = await runtime.spawn('account', { id: 'a' });
    await ref.enqueue({ type: 'overdraw', amount: 5 });
    await soon(() => expect(memory.letters.size).toBe(1));
    const [letter] = runtime.deadLetters.list();
    await expect(runtime.deadLetters.replay(letter?.id ?? '')).rejects.toMatchObject({
      code: 'STORE_FAILED',
    });
    expect(runtime.deadLetters.list()).toMatchObject([{ id: letter?.id, stored: true }]);
  });

  it('is listed no more once another node has taken it', async () => {
    const memory = durableMemory();
    const store = memoryDurableStore(memory);
    const shared: typeof store = {
      ...store,
      async commit(group) {
        if (group.removedLetters === undefined) return store.commit(group);
        const taken: NodeCommitResult = {
          fenced: [],
          unknown: [],
          taken: (group.rows ?? []).map(({ n }) => n),
        };
        return taken;
      },
    };
    const runtime = await start({ agents }, { store: shared });
    const ref = await runtime.spawn('account', { id: 'a' });
    await ref.enqueue({ type: 'overdraw', amount: 5 });
    await soon(() => expect(runtime.deadLetters.list()).toHaveLength(1));
    const [letter] = runtime.deadLetters.list();
    await expect(runtime.deadLetters.replay(letter?.id ?? '')).rejects.toMatchObject({
      code: 'REPLAY_REFUSED',
      message: expect.stringContaining('another node'),
    });
    expect(runtime.deadLetters.list()).toEqual([]);
  });

  it('is listed as the letter that the store makes of it when its address ends meanwhile', async () => {
    const gate = gatedStore();
    const runtime = await start({ agents }, { store: gate.store });
    const ref = await runtime.spawn('account', { id: 'a' });
    await ref.enqueue({ type: 'overdraw', amount: 5 });
    await soon(() => expect(gate.memory.letters.size).toBe(1));
    const [letter] = runtime.deadLetters.list();
    gate.shut();
    const stopped = ref.stop();
    const { go } = await gate.next();
    const replayed = runtime.deadLetters.replay(letter?.id ?? '');
    gate.open();
    go();
    await stopped;
    await expect(replayed).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
    const listed = runtime.deadLetters.list();
    expect(listed).toMatchObject([{ reason: 'unknown-address', event: { type: 'overdraw' }, stored: true }]);
    expect(listed.map(({ id }) => id)).toEqual([...gate.memory.letters.keys()]);
    await runtime.spawn('account', { id: 'a' });
    await runtime.deadLetters.replay(listed[0]?.id ?? '');
    expect(gate.memory.letters.has(listed[0]?.id ?? '')).toBe(false);
  });

  it('stays when its event cannot be encoded any more', async () => {
    const runtime = await start({ agents }, { store: memoryDurableStore() });
    const ref = await runtime.spawn('account', { id: 'a' });
    await ref.enqueue({ type: 'overdraw', amount: 5 });
    await soon(() => expect(runtime.deadLetters.list()).toHaveLength(1));
    const [letter] = runtime.deadLetters.list();
    // Whoever looks at a letter has the event itself.
    Object.assign(letter?.event as object, { spoilt: () => {} });
    await expect(runtime.deadLetters.replay(letter?.id ?? '')).rejects.toThrow('this cannot be stored');
    expect(runtime.deadLetters.list()).toMatchObject([{ id: letter?.id, stored: true }]);
  });

  it('is not replayed to an address without a record, and stays', async () => {
    const memory = durableMemory();
    const runtime = await start({ agents }, { store: memoryDurableStore(memory) });
    const ref = await runtime.spawn('account', { id: 'a' });
    await ref.enqueue({ type: 'overdraw', amount: 5 });
    await soon(() => expect(runtime.deadLetters.list()).toHaveLength(1));
    await ref.stop();
    const [letter] = runtime.deadLetters.list();
    await expect(runtime.deadLetters.replay(letter?.id ?? '')).rejects.toMatchObject({
      code: 'AGENT_STOPPED',
    });
    expect(runtime.deadLetters.list()).toEqual([letter]);
  });
});
