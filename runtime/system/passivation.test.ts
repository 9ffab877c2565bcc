import { describe, expect, it } from 'vitest';
import type { Runtime, RuntimeEvents } from 'holdfast';
import { fixture, nextEvent, start } from '../fixtures/start.ts';
import { durableMemory, memoryDurableStore } from '../store/memory-durable-store.ts';

const agents = { account: fixture('account', { passivateAfterMs: 20 }) };

/** Resolves when an agent event says that the instance is in that state. */
function heard(runtime: Pick<Runtime, 'on'>, address: string, state: string): Promise<unknown> {
  return nextEvent<RuntimeEvents['agent']>(
    (listener) => runtime.on('agent', listener),
    (event) => event.address === address && event.state === state,
  );
}

describe('an instance that has had nothing to do', () => {
  it('leaves memory, and comes back with its next event as the same incarnation', async () => {
    const memory = durableMemory();
    const runtime = await start({ agents }, { store: memoryDurableStore(memory) });
    const ends: unknown[] = [];
    const ref = await runtime.spawn('account', { id: 'a' });
    ref.watch((end) => ends.push(end));
    const passive = heard(runtime, 'account/a', 'passive');
    await ref.ask({ type: 'deposit', amount: 2 });
    await passive;
    expect(runtime.get('account/a')).toBeUndefined();
    expect(runtime.status().instances).toEqual([]);
    expect(await ref.ask({ type: 'deposit', amount: 3 })).toBe(5);
    expect([ref.incarnation, ends]).toEqual([1, []]);
    expect(runtime.get('account/a')).toBe(ref);
    expect(memory.records.get('account/a')).toMatchObject({ incarnation: 1 });
  });

  it('keeps its address, and is found by it when nobody holds it', async () => {
    const runtime = await start({ agents }, { store: memoryDurableStore() });
    const passive = heard(runtime, 'account/a', 'passive');
    await runtime.spawn('account', { id: 'a' });
    await passive;
    await expect(runtime.spawn('account', { id: 'a' })).rejects.toMatchObject({ code: 'ADDRESS_TAKEN' });
    expect(await runtime.find('account/a')).toMatchObject({ resident: false, incarnation: 1 });
    const again = await runtime.getOrSpawn('account', 'a');
    expect([again.incarnation, await again.ask({ type: 'total' })]).toEqual([1, 0]);
  });
});
