import { describe, expect, it } from 'vitest';
import { gatedStore } from '../fixtures/gated-store.ts';
import { fixture, start } from '../fixtures/start.ts';
import { durableMemory, memoryDurableStore } from './memory-durable-store.ts';

const agents = { account: fixture('account') };

describe('a durable instance', () => {
  it('answers an ask when the state after it is committed, and not before', async () => {
    const gate = gatedStore();
    const runtime = await start({ agents }, { store: gate.store });
    const ref = await runtime.spawn('account', { id: 'a' });
    gate.shut();
    let answered = false;
    const answer = ref.ask({ type: 'deposit', amount: 2 }).then((value: unknown) => {
      answered = true;
      return value;
    });
    const { group, go } = await gate.next();
    expect(group.turns.map(({ address }) => address)).toEqual(['account/a']);
    expect(answered).toBe(false);
    go();
    expect(await answer).toBe(2);
    gate.open();
  });

  it('answers what only reads without a commit, and behind a change with the change', async () => {
    const gate = gatedStore();
    const runtime = await start({ agents }, { store: gate.store });
    const ref = await runtime.spawn('account', { id: 'a' });
    await ref.ask({ type: 'deposit', amount: 2 });
    gate.shut();
    expect(await ref.ask({ type: 'total' })).toBe(2);
    const told: string[] = [];
    const change = ref.ask({ type: 'deposit', amount: 1 }).then(() => told.push('change'));
    const { go } = await gate.next();
    const read = ref.ask({ type: 'total' }).then((total) => told.push(`read ${String(total)}`));
    gate.open();
    go();
    await Promise.all([change, read]);
    expect(told).toEqual(['change', 'read 3']);
  });

  it('amendment 18: tells nobody who asks after its state, or for its end, of what is not committed', async () => {
    const gate = gatedStore();
    const plain = fixture('account', { threadId: 'plain', supervision: { state: 'fresh' } });
    const runtime = await start({ agents: { ...agents, plain } }, { store: gate.store });
    const ref = await runtime.spawn('account', { id: 'a' });
    const other = await runtime.spawn('plain');
    gate.shut();
    const told: string[] = [];
    ref.on('deposited', () => told.push('emitted'));
    ref.watch(() => told.push('watch'));
    const change = ref.deliver({ type: 'deposit', amount: 1 });
    const { go } = await gate.next();
    const asked = [
      ref.snapshot().then(({ context }) => told.push(`snapshot ${context.total}`)),
      ref.persist().then(() => told.push('persist')),
      ref.can({ type: 'close' }).then(() => told.push('can')),
    ];
    // In the meantime another thread has answered the same.
    for (let n = 0; n < 10; n++) await Promise.all([other.snapshot(), other.can({ type: 'close' })]);
    expect(told).toEqual([]);
    go();
    await Promise.all([change, ...asked]);
    expect(told.toSorted()).toEqual(['can', 'emitted', 'persist', 'snapshot 1']);
    ref.send({ type: 'close' });
    const { go: end } = await gate.next();
    expect(told).not.toContain('watch');
    end();
    gate.open();
    await expect.poll(() => told).toContain('watch');
  });

  it('gives a store the long texts of its state once, and the whole state with each commit', async () => {
    const gate = gatedStore();
    const runtime = await start({ agents }, { store: gate.store });
    const ref = await runtime.spawn('account', { id: 'a' });
    gate.shut();
    const note = 'n'.repeat(5000);
    const added: unknown[] = [];
    for (const event of [{ type: 'note', note } as const, { type: 'deposit', amount: 1 } as const]) {
      const handled = ref.deliver(event);
      const { group, go } = await gate.next();
      const record = group.turns[0]?.record;
      added.push(record?.parts?.added);
      expect(record?.parts?.text).not.toContain('nn');
      expect(JSON.parse(record?.state as string)).toMatchObject({ snapshot: { context: { note } } });
      go();
      await handled;
    }
    expect(added).toEqual([[[1, JSON.stringify(note)]], []]);
    gate.open();
    const next = await start({ agents }, { store: memoryDurableStore(gate.memory) });
    const again = await next.spawn('account', { id: 'a' });
    expect(await again.snapshot()).toMatchObject({ context: { note, total: 1 } });
  });

  it('is found again as it was by the next process, with nothing of an uncommitted turn', async () => {
    const memory = durableMemory();
    const first = await start({ agents }, { store: memoryDurableStore(memory) });
    const ref = await first.spawn('account', { id: 'a' });
    for (let n = 0; n < 3; n++) await ref.ask({ type: 'deposit', amount: 1 });
    await first.stop();
    const second = await start({ agents }, { store: memoryDurableStore(memory) });
    const again = await second.spawn('account', { id: 'a' });
    expect(await again.ask({ type: 'deposit', amount: 1 })).toBe(4);
  });
});
