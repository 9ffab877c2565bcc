import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { AgentConfig, AgentRef, DurableStore, Runtime, RuntimeEvents } from 'holdfast';
import { fixture, nextEvent, start } from '../fixtures/start.ts';
import { durableMemory, memoryDurableStore, type DurableMemory } from '../store/memory-durable-store.ts';

const AFTER_MS = 20;

/** Resolves when an agent event says that the instance is in that state. */
function heard(runtime: Pick<Runtime, 'on'>, address: string, state: string): Promise<unknown> {
  return nextEvent<RuntimeEvents['agent']>(
    (listener) => runtime.on('agent', listener),
    (event) => event.address === address && event.state === state,
  );
}

interface Rig {
  readonly runtime: Runtime;
  readonly memory: DurableMemory;
  readonly store: DurableStore;
  /** What `runtime.on('agent')` said of `resting/a`. */
  readonly states: string[];
  readonly passive: () => Promise<unknown>;
}

async function rig(config: Partial<AgentConfig> = {}, memory = durableMemory()): Promise<Rig> {
  const store = memoryDurableStore(memory);
  const agents = { resting: fixture('resting', { passivateAfterMs: AFTER_MS, maxThreads: 2, ...config }) };
  const runtime = (await start({ agents }, { store })) as unknown as Runtime;
  const states: string[] = [];
  runtime.on('agent', ({ address, state }) => {
    if (address === 'resting/a') states.push(state);
  });
  return { runtime, memory, store, states, passive: () => heard(runtime, 'resting/a', 'passive') };
}

const look = (ref: AgentRef): Promise<unknown> => ref.ask({ type: 'look' });
const count = (ref: AgentRef): Promise<unknown> => ref.ask({ type: 'count' });

describe('an instance that has had nothing to do', () => {
  it('amendment 19: leaves memory, and comes back with its next event as the same incarnation, which notices nothing', async () => {
    const { runtime, memory, states } = await rig();
    const ends: unknown[] = [];
    const ref = await runtime.spawn('resting', { id: 'a' });
    ref.watch((end) => ends.push(end));
    await count(ref);
    await expect.poll(() => runtime.get('resting/a')).toBeUndefined();
    expect(runtime.status().instances).toEqual([]);
    const before = memory.records.get('resting/a');
    expect(await look(ref)).toEqual({ count: 1, entries: 1, exits: 0, rings: 0 });
    // Neither a rest nor a wake writes anything.
    expect(memory.records.get('resting/a')).toEqual(before);
    expect(before).toMatchObject({ incarnation: 1 });
    expect(await count(ref)).toBe(2);
    expect([ref.incarnation, ends, runtime.get('resting/a')]).toEqual([1, [], ref]);
    expect(states.slice(0, 3)).toEqual(['running', 'passive', 'running']);
    expect(runtime.status()).toMatchObject({ restarts: 0, deadLetters: 0 });
  });

  it('is counted, in memory and out of it', async () => {
    const { runtime, passive } = await rig();
    const left = passive();
    const ref = await runtime.spawn('resting', { id: 'a' });
    await left;
    const residents = { resident: 0, passive: 1, passivations: 1, over: 0 };
    expect(runtime.status().pools).toMatchObject([{ residents, threads: [{ instances: 0 }] }]);
    const again = passive();
    await count(ref);
    await again;
    expect(runtime.status().pools).toMatchObject([{ residents: { ...residents, passivations: 2 } }]);
    await ref.stop();
    expect(runtime.status().pools).toMatchObject([{ residents: { passive: 0 } }]);
  });

  it('keeps its address, and is found by it when nobody holds it', async () => {
    const { runtime, passive } = await rig();
    const left = passive();
    await runtime.spawn('resting', { id: 'a' });
    await left;
    await collected();
    await expect(runtime.spawn('resting', { id: 'a' })).rejects.toMatchObject({ code: 'ADDRESS_TAKEN' });
    expect(await runtime.find('resting/a')).toMatchObject({ resident: false, incarnation: 1 });
    const again = await runtime.getOrSpawn('resting', 'a');
    expect([again.incarnation, await look(again)]).toMatchObject([1, { entries: 1 }]);
  });

  it('is the same for all who hold it, and for who finds it by its address', async () => {
    const { runtime, passive } = await rig();
    const left = passive();
    const ref = await runtime.spawn('resting', { id: 'a' });
    await left;
    await expect(runtime.spawn('resting', { id: 'a' })).rejects.toMatchObject({ code: 'ADDRESS_TAKEN' });
    expect(await runtime.getOrSpawn('resting', 'a')).toBe(ref);
  });

  it('takes no memory', async () => {
    const { runtime, passive } = await rig();
    const left = passive();
    const held = new WeakRef(await runtime.spawn('resting', { id: 'a' }));
    await left;
    await collected();
    expect(held.deref()).toBeUndefined();
  });

  it('stays with whoever watches it, and tells its end', async () => {
    const { runtime, passive } = await rig();
    const left = passive();
    const ended = new Promise<unknown>((resolve) => {
      void runtime.spawn('resting', { id: 'a' }).then((ref) => ref.watch(resolve));
    });
    await left;
    await collected();
    await (await runtime.getOrSpawn('resting', 'a')).stop();
    expect(await ended).toEqual({ address: 'resting/a', incarnation: 1, reason: 'stopped' });
  });

  it('can be stopped, and then nothing is left of it', async () => {
    const { runtime, memory, passive } = await rig();
    const left = passive();
    const ref = await runtime.spawn('resting', { id: 'a' });
    await left;
    await ref.stop();
    expect([memory.records.size, await runtime.find('resting/a')]).toEqual([0, undefined]);
    expect((await runtime.spawn('resting', { id: 'a' })).incarnation).toBe(1);
  });

  it('amendment 15: wakes when its timer is due, which comes when it was due whatever the policy says', async () => {
    const { runtime, states, passive } = await rig({ supervision: { timers: 'restart' } });
    const ref = await runtime.spawn('resting', { id: 'a' });
    const left = passive();
    // Long enough for a busy machine to have it leave before.
    await ref.deliver({ type: 'ring', afterMs: 3000 });
    await left;
    const back = heard(runtime, 'resting/a', 'running');
    await back;
    await expect.poll(() => look(ref)).toMatchObject({ rings: 1 });
    expect(states.slice(0, 3)).toEqual(['running', 'passive', 'running']);
  });

  it('wakes for a question, for an event that is kept, and for one whose time has come', async () => {
    const { runtime, passive } = await rig();
    const ref = await runtime.spawn('resting', { id: 'a' });
    await passive();
    expect(await ref.snapshot()).toMatchObject({ value: 'idle' });
    await passive();
    await ref.enqueue({ type: 'count' });
    await passive();
    const back = heard(runtime, 'resting/a', 'running');
    await ref.enqueue({ type: 'count' }, { at: Date.now() + 300 });
    expect(runtime.get('resting/a')).toBeUndefined();
    await back;
    await expect.poll(() => look(ref)).toMatchObject({ count: 2 });
  });

  it('wakes for what another agent asks it, or sends it', async () => {
    const { runtime, passive } = await rig();
    const left = passive();
    await runtime.spawn('resting', { id: 'a' });
    await left;
    await collected();
    const other = await runtime.spawn('resting', { id: 'b' });
    const again = passive();
    await other.deliver({ type: 'ask', to: 'resting/a' });
    await expect.poll(() => look(other)).toMatchObject({ total: 1 });
    await again;
    const third = passive();
    await other.deliver({ type: 'tell', to: 'resting/a' });
    await third;
    expect(await look(await runtime.getOrSpawn('resting', 'a'))).toMatchObject({ count: 2 });
  });

  it('wakes for who subscribes to it or listens, and stays for them', async () => {
    const { runtime, states, passive } = await rig();
    const left = passive();
    const ref = await runtime.spawn('resting', { id: 'a' });
    await left;
    const counted = nextEvent<unknown>((listener) => ref.on('*', listener as never));
    await heard(runtime, 'resting/a', 'running');
    const before = states.length;
    await new Promise((resolve) => setTimeout(resolve, 10 * AFTER_MS));
    expect(states.slice(before)).toEqual([]);
    const again = passive();
    await count(ref);
    expect(await counted).toMatchObject({ type: 'counted', count: 1 });
    await again;
  });
});

describe('a pool with a bound', () => {
  const threads = { pool: { maxResident: 4 } };

  it('has the one leave that has done nothing for longest, when another comes', async () => {
    const store = memoryDurableStore();
    const runtime = await start({ agents: { resting: fixture('resting') }, threads }, { store });
    const gone: string[] = [];
    runtime.on('agent', ({ address, state }) => {
      if (state === 'passive') gone.push(address);
    });
    for (const id of ['a', 'b', 'c', 'd']) await runtime.spawn('resting', { id });
    await count(runtime.get('resting/a') as AgentRef);
    await runtime.spawn('resting', { id: 'e' });
    expect(gone).toHaveLength(1);
    expect(runtime.status().pools).toMatchObject([
      { residents: { resident: 4, passive: 1, passivations: 1, over: 0 } },
    ]);
    expect(await count((await runtime.getOrSpawn('resting', 'a')) as AgentRef)).toBe(2);
  });

  it('holds more when somebody waits and none may leave, and says so', async () => {
    const warned: string[] = [];
    const logger = {
      debug() {},
      info() {},
      warn: (_: object, what: string) => warned.push(what),
      error() {},
    };
    const agents = { resting: fixture('resting') };
    const runtime = await start({ agents, threads }, { store: memoryDurableStore(), logger });
    for (const id of ['a', 'b', 'c', 'd']) {
      const ref = await runtime.spawn('resting', { id });
      await ref.deliver({ type: 'work' });
    }
    await runtime.spawn('resting', { id: 'e' });
    expect(runtime.status().pools).toMatchObject([{ residents: { resident: 5, over: 1 } }]);
    expect(warned).toMatchObject([expect.stringContaining('maxResident')]);
  });

  it('serves many more addresses than it holds, each event once, with a memory that does not grow', async () => {
    const [addresses, rounds] = [120, 4];
    const agents = { resting: fixture('resting') };
    const runtime = await start(
      { agents, threads: { pool: { maxResident: 16 } } },
      { store: memoryDurableStore() },
    );
    const all = Array.from({ length: addresses }, (_, i) => String(i));
    for (let round = 1; round <= rounds; round++) {
      const counts: unknown[] = [];
      for (let i = 0; i < addresses; i += 8) {
        const some = all.slice(i, i + 8).map(async (id) => count(await runtime.getOrSpawn('resting', id)));
        counts.push(...(await Promise.all(some)));
      }
      expect(counts.filter((n) => n !== round)).toEqual([]);
    }
    const { residents } = runtime.status().pools[0] ?? {};
    expect(residents).toMatchObject({ over: 0 });
    expect((residents?.resident ?? 0) + (residents?.passive ?? 0)).toBe(addresses);
    expect(runtime.status().instances.length).toBeLessThanOrEqual(16);
  });
});

describe('an instance with something under way', () => {
  it('stays while a promise of it is active', async () => {
    const { runtime, states, passive } = await rig();
    const ref = await runtime.spawn('resting', { id: 'a' });
    await ref.deliver({ type: 'work' });
    await new Promise((resolve) => setTimeout(resolve, 10 * AFTER_MS));
    expect(states.filter((state) => state === 'passive')).toEqual([]);
    const left = passive();
    await ref.deliver({ type: 'done' });
    await left;
  });

  it('has it fail after a crash when the config says so, and never because it was passive', async () => {
    const backoff = { minMs: 1, maxMs: 1, factor: 1, jitter: 0 };
    const { runtime, passive } = await rig({ supervision: { invoked: 'fail', backoff } });
    const ref = await runtime.spawn('resting', { id: 'a' });
    await passive();
    await ref.deliver({ type: 'work' });
    expect(await look(ref)).not.toHaveProperty('error');
    await ref.deliver({ type: 'fail' }).catch(() => {});
    await expect.poll(() => look(ref)).toMatchObject({ error: 'INVOKE_INTERRUPTED' });
    expect(ref.incarnation).toBe(2);
  });
});

/** Resolves when nothing is kept that nobody holds. */
async function collected(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  for (let i = 0; i < 5; i++) {
    await new Promise(setImmediate);
    gc();
  }
}
