import { expect, it, onTestFinished } from 'vitest';
import type { DurableStore } from 'holdfast';
import { gatedStore } from '../fixtures/gated-store.ts';
import { fixture } from '../fixtures/start.ts';
import { openRuntime, type ServedSystem } from '../runtime.ts';
import { durableMemory, memoryDurableStore } from '../store/memory-durable-store.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

const unreached = {
  nudge() {},
  release() {},
  begin: () => Promise.reject(new Error('nobody is there')),
  ask: () => Promise.reject(new Error('nobody is there')),
  keep: () => Promise.reject(new Error('nobody is there')),
  keepStream: () => {
    throw new Error('nobody is there');
  },
  watch: () => ({ unsubscribe() {} }),
  status: () => ({ node: 0, nodes: [] }),
  figuresOf: () => Promise.reject(new Error('nobody is there')),
};

/** A runtime that is one node of several, and has all addresses until it loses some. */
async function node(store: DurableStore) {
  const gone = new Set<string>();
  const warned: string[] = [];
  let system: ServedSystem | undefined;
  const runtime = await openRuntime(
    { agents: { account: fixture('account'), resting: fixture('resting', { passivateAfterMs: 20 }) } },
    { store, logger: { ...silent, warn: (_fields: object, message: string) => void warned.push(message) } },
    {
      share: { node: 0, owns: (address) => !gone.has(address), ...unreached },
      onSystem: (opened) => void (system = opened),
    },
  );
  onTestFinished(() => runtime.stop());
  const lose = (address: string): void => {
    gone.add(address);
    system?.lost((one) => one === address);
  };
  return { runtime, warned, lose, regain: (address: string) => void gone.delete(address) };
}

it('an instance that another node has got tells nothing of a turn whose commit is under way, and others go on', async () => {
  const gate = gatedStore();
  const { runtime, warned, lose, regain } = await node(gate.store);
  const ref = await runtime.spawn('account', { id: 'a' });
  const other = await runtime.spawn('account', { id: 'b' });
  const told: unknown[] = [];
  ref.on('deposited', (event) => told.push(event));
  gate.shut();
  const asked = ref.ask({ type: 'deposit', amount: 2 }).catch((error: unknown) => error);
  const { go } = await gate.next();
  lose('account/a');
  expect(await asked).toMatchObject({
    code: 'NODE_UNREACHABLE',
    message: expect.stringContaining('nobody knows'),
  });
  gate.open();
  go();
  expect(await other.ask({ type: 'deposit', amount: 1 })).toBe(1);
  expect(told).toEqual([]);
  expect(warned).toEqual([]);
  await expect(ref.ask({ type: 'total' })).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
  await expect(runtime.getOrSpawn('account', 'a')).rejects.toMatchObject({ code: 'NOT_LOCAL' });
  regain('account/a');
  const again = await runtime.getOrSpawn('account', 'a');
  expect(await again.ask({ type: 'total' })).toBe(2);
});

it('a passive instance that another node has got is not woken here by who still holds it, and nothing of it is deleted', async () => {
  const memory = durableMemory();
  const { runtime, lose, regain } = await node(memoryDurableStore(memory));
  const ref = await runtime.spawn('resting', { id: 'a' });
  expect(await ref.ask({ type: 'count' })).toBe(1);
  await expect.poll(() => runtime.get('resting/a')).toBeUndefined();
  lose('resting/a');
  await expect(ref.ask({ type: 'count' })).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
  expect(runtime.status().instances).toEqual([]);
  expect([...memory.records.keys()]).toEqual(['resting/a']);
  regain('resting/a');
  const again = await runtime.getOrSpawn('resting', 'a');
  expect(await again.ask({ type: 'count' })).toBe(2);
});
