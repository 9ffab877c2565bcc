import { describe, expect, it } from 'vitest';
import { fixture, start } from '../fixtures/start.ts';
import type { CommitResult, DurableStore } from './durable-store.ts';
import { memoryDurableStore } from './memory-durable-store.ts';

const agents = { account: fixture('account') };

/** A store that says something else of the commits of turns, once the test wants it to. */
function saying(result: (address: string) => Partial<CommitResult>) {
  const store = memoryDurableStore();
  const state = { says: false };
  const says: DurableStore = Object.assign(Object.create(store) as DurableStore, {
    commit: async (group: Parameters<DurableStore['commit']>[0]) =>
      state.says
        ? { fenced: [], unknown: [], ...result(group.turns[0]?.address ?? '') }
        : store.commit(group),
  });
  return { store: says, state };
}

describe('a durable instance of which nothing more is written', () => {
  it.each([
    ['was continued elsewhere', 'STORE_FENCED', (address: string) => ({ fenced: [address] })],
    ['is damaged in the store', 'STORE_CORRUPT', (address: string) => ({ damaged: [address] })],
  ])('because it %s ends, and nobody hears of its turn', async (_why, code, result) => {
    const { store, state } = saying(result);
    const runtime = await start({ agents }, { store });
    const ref = await runtime.spawn('account', { id: 'a' });
    const told: unknown[] = [];
    ref.on('deposited', (event: unknown) => told.push(event));
    state.says = true;
    await expect(ref.ask({ type: 'deposit', amount: 1 })).rejects.toMatchObject({ code });
    expect(told).toEqual([]);
    state.says = false;
  });

  it('because the store takes nobody new is not started', async () => {
    const { store, state } = saying((address) => ({ refused: { addresses: [address], rows: [] } }));
    const runtime = await start({ agents }, { store });
    state.says = true;
    await expect(runtime.spawn('account', { id: 'b' })).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('maxBytes') as string,
    });
    state.says = false;
  });
});
