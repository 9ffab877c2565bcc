import { describe, expect, it, vi } from 'vitest';
import { fixture, start } from '../fixtures/start.ts';
import { durableMemory, memoryDurableStore } from './memory-durable-store.ts';

const supervision = {
  backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 },
  intensity: { restarts: 100, withinMs: 1000 },
} as const;
const agents = { account: fixture('account', { supervision }) };

describe('an event in the store that ends its thread', () => {
  it('is tried five times, becomes a letter with its evidence, and those behind it are handled', async () => {
    const memory = durableMemory();
    const runtime = await start({ agents }, { store: memoryDurableStore(memory) });
    const ref = await runtime.spawn('account', { id: 'a' });
    await ref.ask({ type: 'deposit', amount: 1 });
    await ref.enqueue({ type: 'exit' });
    await ref.enqueue({ type: 'deposit', amount: 2 });
    await vi.waitFor(() => expect(memory.letters.size).toBe(1), { timeout: 20_000 });
    const [letter] = [...memory.letters.values()];
    expect(letter).toMatchObject({ address: 'account/a', reason: 'poison' });
    expect(JSON.parse(letter?.meta ?? '')).toMatchObject({
      attempts: 5,
      evidence: { cause: 'exit', error: { code: 'THREAD_CRASHED' } },
    });
    expect(await ref.ask({ type: 'total' })).toBe(3);
    expect(ref.incarnation).toBe(6);
    expect(memory.rows.size).toBe(0);
    expect(runtime.deadLetters.list()).toMatchObject([
      { reason: 'poison', event: { type: 'exit' }, stored: true },
    ]);
  }, 30_000);

  it('keeps its attempts over a restart of the process', async () => {
    const memory = durableMemory();
    const first = await start({ agents }, { store: memoryDurableStore(memory) });
    const ref = await first.spawn('account', { id: 'a' });
    await ref.enqueue({ type: 'exit' });
    const attempts = (): number => [...memory.rows.values()][0]?.row.attempts ?? 0;
    await vi.waitFor(() => expect(attempts()).toBeGreaterThanOrEqual(2), { timeout: 20_000, interval: 1 });
    // As a process that is killed now leaves it.
    const left = structuredClone(memory);
    const second = await start({ agents }, { store: memoryDurableStore(left) });
    await second.spawn('account', { id: 'a' }).catch(() => {});
    await vi.waitFor(() => expect(left.letters.size).toBe(1), { timeout: 20_000 });
    expect(JSON.parse([...left.letters.values()][0]?.meta ?? '')).toMatchObject({ attempts: 5 });
  }, 30_000);
});
