import { describe, expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { fixture, start } from '../fixtures/start.ts';
import { manualClock } from '../instance/fixtures/lone-instance.ts';
import type { DurableStore } from '../store/durable-store.ts';
import { durableMemory, memoryDurableStore, type DurableMemory } from '../store/memory-durable-store.ts';
import { type OsThread, startWorker, type ThreadSpec } from '../threads/os-thread.ts';
import { RuntimeSystem } from './runtime-system.ts';
import { Wakes } from './wakes.ts';

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

  it('wakes nobody of a store that was restored, until it is told to', async () => {
    const memory = await left(['a']);
    const inner = memoryDurableStore(memory);
    const store: DurableStore = {
      ...inner,
      open: async (context) => ({ ...(await inner.open(context)), restored: true }),
    };
    const config = await loadConfig({ agents });
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    const system = new RuntimeSystem(config, { store, logger });
    onTestFinished(() => system.stop());
    await system.openStore();
    system.startWakes();
    expect(await system.find('account/a')).toMatchObject({ resident: false, waiting: 1 });
    await system.resumeStore();
    await expect.poll(() => memory.rows.size).toBe(0);
  });

  it('wakes again whose thread did not start', async () => {
    const memory = await left(['a', 'b']);
    const config = await loadConfig({ agents });
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    let tries = 0;
    const startThread = (spec: ThreadSpec): OsThread => {
      const thread = startWorker(spec);
      if (++tries === 1) thread.terminate();
      return thread;
    };
    const system = new RuntimeSystem(config, { store: memoryDurableStore(memory), logger, startThread });
    onTestFinished(() => system.stop());
    await system.openStore();
    system.startWakes();
    await expect.poll(() => memory.rows.size, { timeout: 20_000 }).toBe(0);
    expect(tries).toBe(2);
  });

  it('keeps for the next process what it was sent and has not handled when it stops', async () => {
    const memory = durableMemory();
    const first = await start({ agents }, { store: memoryDurableStore(memory) });
    const ref = await first.spawn('account', { id: 'a' });
    await ref.enqueue({ type: 'deposit', amount: 5 }, { at: Date.now() + 3_600_000 });
    await first.stop();
    expect([...memory.rows.values()].map(({ row }) => row.to)).toEqual(['account/a']);
    expect(memory.letters.size).toBe(0);
  });
});

describe('the wakes', () => {
  it('come oldest first, and not more than so many in a second', async () => {
    const clock = manualClock();
    const woken: string[] = [];
    const all = Array.from({ length: 250 }, (_, i) => ({ address: `a/${i}`, since: i, why: 'row' as const }));
    const wakes = new Wakes({
      store: {
        due: async (_, limit, after) => ({
          due: all.filter(({ since }) => after === undefined || since > after.since).slice(0, limit),
        }),
      },
      clock,
      perSecond: 100,
      atOnce: () => Infinity,
      isResident: (address) => address === 'a/3',
      wake: async (address) => woken.push(address) > 0,
      warn() {},
    });
    wakes.start();
    await new Promise((resolve) => setImmediate(resolve));
    clock.pass(999);
    expect(woken).toHaveLength(100);
    clock.pass(1000);
    expect(woken).toHaveLength(200);
    clock.pass(1000);
    expect(woken).toEqual(all.map(({ address }) => address).filter((address) => address !== 'a/3'));
    wakes.stop();
  });

  it('come as many in a second where its timers are late, and in no second more', async () => {
    const clock = manualClock();
    const woken: number[] = [];
    const all = Array.from({ length: 600 }, (_, i) => ({ address: `a/${i}`, since: i, why: 'row' as const }));
    const wakes = new Wakes({
      store: { due: async (_, limit, after) => ({ due: after === undefined ? all.slice(0, limit) : [] }) },
      clock: {
        ...clock,
        setTimeout: (run, ms) => clock.setTimeout(run, ms + (woken.length < 300 ? 7 : 0)),
      },
      perSecond: 100,
      atOnce: () => Infinity,
      isResident: () => false,
      wake: async () => woken.push(clock.now()) > 0,
      warn() {},
    });
    wakes.start();
    await new Promise((resolve) => setImmediate(resolve));
    clock.pass(3000);
    expect(woken.length).toBeGreaterThanOrEqual(290);
    clock.pass(3000);
    expect(woken.filter((at, i) => at - (woken[i - 100] ?? -Infinity) < 1000)).toEqual([]);
    wakes.stop();
  });

  it('try whom they could not start less and less often, and keep nobody else waiting', async () => {
    const clock = manualClock();
    const tried: Record<string, number> = { 'a/bad': 0, 'a/good': 0 };
    const due = Object.keys(tried).map((address) => ({ address, since: 1, why: 'row' as const }));
    const wakes = new Wakes({
      store: {
        due: async () => ({ due: due.filter(({ address }) => tried[address] === 0 || address === 'a/bad') }),
      },
      clock,
      perSecond: 100,
      atOnce: () => Infinity,
      isResident: () => false,
      wake: async (address) => {
        tried[address] = (tried[address] as number) + 1;
        // Its end has the list read again.
        wakes.left();
        return address !== 'a/bad';
      },
      warn() {},
    });
    wakes.start();
    const pass = async (tenths: number): Promise<void> => {
      for (let tenth = 0; tenth < tenths; tenth += 1) {
        await new Promise((resolve) => setImmediate(resolve));
        clock.pass(100);
      }
    };
    await pass(20);
    expect([tried['a/good'], (tried['a/bad'] as number) > 1]).toEqual([1, true]);
    await pass(6000);
    expect([(tried['a/bad'] as number) >= 10, (tried['a/bad'] as number) <= 20]).toEqual([true, true]);
    wakes.stop();
  });

  it('ask a store that fails less and less often, and say so each time', async () => {
    const clock = manualClock();
    let asked = 0;
    const warned: string[] = [];
    const wakes = new Wakes({
      store: {
        due: () => {
          asked += 1;
          return Promise.reject(new Error('it fails'));
        },
      },
      clock,
      perSecond: 100,
      atOnce: () => Infinity,
      isResident: () => false,
      wake: () => Promise.resolve(true),
      warn: (_fields, message) => void warned.push(message),
    });
    wakes.start();
    for (let second = 0; second < 600; second += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.pass(1000);
    }
    expect([asked >= 10, asked <= 20]).toEqual([true, true]);
    expect(warned).toHaveLength(asked);
    wakes.stop();
  });
});
