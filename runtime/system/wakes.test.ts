import { describe, expect, it } from 'vitest';
import { fixture, start } from '../fixtures/start.ts';
import { durableMemory, memoryDurableStore, type DurableMemory } from '../store/memory-durable-store.ts';

const agents = { account: fixture('account') };

/** The memory of a store whose accounts have each a row, as a process leaves it that ends. */
async function left(ids: readonly string[]): Promise<DurableMemory> {
  const memory = durableMemory();
  const runtime = await start({ agents }, { store: memoryDurableStore(memory) });
  for (const id of ids) await runtime.spawn('account', { id });
  await runtime.stop();
  const store = memoryDurableStore(memory);
  const { firstRow } = await store.open({ now: Date.now, warn() {} });
  const rows = ids.map((id, i) => ({
    n: firstRow + i,
    to: `account/${id}`,
    event: '{"type":"deposit","amount":5}',
    dueAt: 0,
    attempts: 0,
  }));
  await store.commit({ id: 'left', at: Date.now(), turns: [], rows });
  return memory;
}

describe('a runtime with a store under every turn', () => {
  it('wakes at its start who has something to do, and nobody else', async () => {
    const memory = await left(['a', 'b']);
    const quiet = await start({ agents }, { store: memoryDurableStore() });
    await quiet.spawn('account', { id: 'c' });
    const runtime = await start({ agents }, { store: memoryDurableStore(memory) });
    await expect.poll(() => memory.rows.size).toBe(0);
    expect(await runtime.get('account/a')?.ask({ type: 'total' })).toBe(5);
    expect(await runtime.get('account/b')?.ask({ type: 'total' })).toBe(5);
    expect(runtime.get('account/c')).toBeUndefined();
  });

  it('finds an instance that is in the store without waking it', async () => {
    const memory = durableMemory();
    const first = await start({ agents }, { store: memoryDurableStore(memory) });
    await first.spawn('account', { id: 'a b' });
    expect(await first.find('account/a%20b')).toMatchObject({ resident: true, incarnation: 1 });
    await first.stop();
    const runtime = await start({ agents }, { store: memoryDurableStore(memory) });
    expect(await runtime.find('account/a%20b')).toEqual({
      address: 'account/a%20b',
      agent: 'account',
      id: 'a b',
      resident: false,
      incarnation: 1,
      quarantined: false,
      waiting: 0,
    });
    expect(runtime.get('account/a%20b')).toBeUndefined();
    expect(await runtime.find('account/nobody')).toBeUndefined();
    await expect(runtime.find(1 as never)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });

  it('leaves instances of an agent that it does not know as they are, and says so once', async () => {
    const memory = await left(['a', 'b']);
    const warned: unknown[] = [];
    const logger = { debug() {}, info() {}, warn: (fields: object) => warned.push(fields), error() {} };
    const other = { ledger: fixture('account') };
    await start({ agents: other }, { store: memoryDurableStore(memory), logger });
    await expect.poll(() => warned).toMatchObject([{ agent: 'account' }]);
    expect(memory.rows.size).toBe(2);
  });
});
