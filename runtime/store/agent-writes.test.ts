import { describe, expect, it } from 'vitest';
import { gatedStore } from '../fixtures/gated-store.ts';
import { fixture, start } from '../fixtures/start.ts';
import { WriteCounts } from './agent-writes.ts';

const KB = 1024;

function counting() {
  let now = 0;
  const heavy: unknown[] = [];
  const counts = new WriteCounts({ now: () => now, heavy: (address, bytes) => heavy.push([address, bytes]) });
  const write = (address: string, times: number, bytes: number, everyMs: number): void => {
    const wrote = counts.of('desk', address);
    for (let n = 0; n < times; n++) {
      wrote(bytes);
      now += everyMs;
    }
  };
  return { counts, heavy, write, pass: (ms: number) => void (now += ms) };
}

describe('what agents write', () => {
  it('is counted by agent, with rates between two readings at least a second apart', () => {
    const { counts, write, pass } = counting();
    expect(counts.read()).toEqual([]);
    write('desk/a', 10, 100, 50);
    expect(counts.read()).toEqual([{ agent: 'desk', commits: 10, bytes: 1000, heavy: false }]);
    write('desk/b', 10, 200, 50);
    pass(1000);
    const rates = { commitsPerSecond: 10, bytesPerSecond: 1500 };
    const all = { agent: 'desk', commits: 20, bytes: 3000, heavy: false };
    expect(counts.read()).toEqual([{ ...all, ...rates }]);
    pass(999);
    expect(counts.read()).toEqual([{ ...all, ...rates }]);
    pass(1);
    expect(counts.read()).toEqual([{ ...all, commitsPerSecond: 0, bytesPerSecond: 0 }]);
  });

  it('is heavy when one instance commits a large state more than 20 times a second, which is told once for its agent', () => {
    const { counts, heavy, write } = counting();
    write('desk/small', 500, 64 * KB, 1);
    write('desk/slow', 500, 65 * KB, 51);
    // Many that are slow together are not one that is fast.
    for (let n = 0; n < 50; n++) write(`desk/${n}`, 20, 65 * KB, 1);
    expect([heavy, counts.read()[0]?.heavy]).toEqual([[], false]);
    write('desk/fast', 500, 65 * KB, 49);
    write('desk/faster', 500, 65 * KB, 1);
    expect([heavy, counts.read()[0]?.heavy]).toEqual([[['desk/fast', 65 * KB]], true]);
  });

  it('is in the status of the runtime when it is committed', async () => {
    const gate = gatedStore();
    const runtime = await start({ agents: { account: fixture('account') } }, { store: gate.store });
    const ref = await runtime.spawn('account', { id: 'a' });
    for (let n = 0; n < 3; n++) await ref.ask({ type: 'deposit', amount: 1 });
    await ref.ask({ type: 'total' });
    const [writes] = runtime.status().store?.agents ?? [];
    expect(writes).toMatchObject({ agent: 'account', commits: 4, heavy: false });
    expect(writes?.bytes).toBeGreaterThan(400);
  });
});
