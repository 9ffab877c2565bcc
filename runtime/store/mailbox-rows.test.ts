import { describe, expect, it } from 'vitest';
import { gatedStore } from '../fixtures/gated-store.ts';
import { fixture, start } from '../fixtures/start.ts';
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
    const { group } = await gate.next();
    expect(group.turns).toMatchObject([{ address: 'account/a', handled: [1] }]);
    const left = structuredClone(memory);
    gate.open();
    const second = await start({ agents }, { store: memoryDurableStore(left) });
    const again = await second.spawn('account', { id: 'a' });
    expect(await again.ask({ type: 'deposit', amount: 4 })).toBe(7);
    expect(left.rows.size).toBe(0);
  });

  it('is refused where no store commits turns', async () => {
    const runtime = await start({ agents });
    const ref = await runtime.spawn('account', { id: 'a' });
    await expect(ref.enqueue({ type: 'total' })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });
});
