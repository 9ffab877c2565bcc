import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { defineCapability, sqliteStore, type AgentConfig, type AgentRef, type DurableStore } from 'holdfast';
import { createTestRuntime, memoryDurableStore, type TestRuntime } from 'holdfast/testing';
import { createMemoryProvider, type MemoryProvider } from './fixtures/memory-provider.ts';

const logger = { debug() {}, info() {}, warn() {}, error() {} };
const REST_MS = 60_000;
const CANARY = 'CANARY-77ab01-value';

const sign = defineCapability('sign', (secret) =>
  secret.use((key) => ({ signature: String(key.length), version: secret.versionId })),
);

interface Rig {
  readonly runtime: TestRuntime;
  readonly provider: MemoryProvider;
  readonly store: DurableStore;
  /** Of each secret event: to whom, its version and its epoch. */
  readonly told: unknown[];
  /** How often an instance was started. */
  readonly starts: () => string[];
  /** What the instance has heard, as its state knows it. */
  readonly heard: (id: string) => Promise<unknown[]>;
  readonly rotate: (versionId: string) => Promise<void>;
  readonly restart: () => Promise<void>;
}

async function rig({
  store = memoryDurableStore(),
  threads = false,
  fixture = 'signer',
}: { store?: DurableStore; threads?: boolean; fixture?: string } = {}): Promise<Rig> {
  const provider = createMemoryProvider();
  provider.set('desk/key', 'v1', `${CANARY}-1`);
  const signer: AgentConfig = {
    type: 'thread-bound',
    threadId: 'signing',
    maxThreads: 1,
    passivateAfterMs: REST_MS,
    module: new URL(`../fixtures/${fixture}.ts`, import.meta.url),
    secrets: { key: { ref: 'desk/key', mode: 'capability', capabilities: ['sign'] } },
  };
  const runtime = await createTestRuntime(
    { externalSecrets: { provider: 'memory', cacheTTL: 3600 }, agents: { signer } },
    { threads, logger, seed: 1, store, providers: [provider], capabilities: [sign] },
  );
  onTestFinished(() => runtime.stop());
  const told: unknown[] = [];
  const states: string[] = [];
  const listen = (): void => {
    runtime.on('secret', ({ address, versionId, epoch }) => told.push([address, versionId, epoch]));
    runtime.on('agent', ({ address, state }) => states.push(`${address} ${state}`));
  };
  listen();
  return {
    runtime,
    provider,
    store,
    told,
    starts: () => states.filter((state) => state.endsWith(' running')),
    async heard(id) {
      const ref = await runtime.getOrSpawn('signer', id);
      await runtime.settled();
      const { heard } = (await ref.ask({ type: 'read' })) as {
        heard: { versionId: string; epoch: number }[];
      };
      return heard.map(({ versionId, epoch }) => [versionId, epoch]);
    },
    async rotate(versionId) {
      provider.set('desk/key', versionId, `${CANARY}-${versionId}`);
      await runtime.clock.advance(5_000);
      await runtime.refreshSecret('desk/key');
      await runtime.settled();
    },
    async restart() {
      await runtime.restartProcess();
      listen();
    },
  };
}

describe('an instance that outlives the process', () => {
  test('amendment 20: hears of a secret only when it has another version, and by a higher epoch', async () => {
    const { runtime, provider, told, heard, rotate, restart } = await rig();
    expect(await heard('a')).toEqual([]);
    await rotate('v2');
    await rotate('v3');
    expect(await heard('a')).toEqual([
      ['v2', 2],
      ['v3', 3],
    ]);
    await restart();
    expect(await heard('a')).toHaveLength(2);
    expect(told).toHaveLength(2);
    provider.set('desk/key', 'v4', `${CANARY}-4`);
    await restart();
    expect(await heard('a')).toEqual([
      ['v2', 2],
      ['v3', 3],
      ['v4', 4],
    ]);
    await rotate('v5');
    expect((await heard('a')).at(-1)).toEqual(['v5', 5]);
    expect(runtime.status().deadLetters).toBe(0);
  });

  test('amendment 20: is not woken by a rotation, and notices nothing of one that it knows', async () => {
    const { runtime, store, told, starts, heard, rotate } = await rig();
    expect(await heard('a')).toEqual([]);
    await runtime.clock.advance(2 * REST_MS);
    expect([runtime.get('signer/a'), starts()]).toEqual([undefined, ['signer/a running']]);
    const before = await store.load('signer/a');
    expect(await heard('a')).toEqual([]);
    await runtime.clock.advance(2 * REST_MS);
    expect([await store.load('signer/a'), told]).toEqual([before, []]);

    // Somebody else keeps the secret in use.
    const other = await runtime.spawn('signer', { id: 'b' });
    await rotate('v2');
    expect([runtime.get('signer/a'), told]).toEqual([undefined, [['signer/b', 'v2', 2]]]);
    expect(await heard('a')).toEqual([['v2', 2]]);
    await runtime.clock.advance(2 * REST_MS);
    expect(await heard('a')).toEqual([['v2', 2]]);
    await other.stop();
  });

  test('is told again what its state was not committed with', async () => {
    const { runtime, provider, heard, restart } = await rig();
    expect(await heard('a')).toEqual([]);
    provider.set('desk/key', 'v2', `${CANARY}-2`);
    await runtime.clock.advance(5_000);
    const fault = runtime.faults.commit('before', { kill: true });
    await runtime.refreshSecret('desk/key');
    await runtime.settled();
    expect(fault.fired).toBe(true);
    await restart();
    expect(await heard('a')).toEqual([['v2', 2]]);
  });

  test('hears it no more after its thread has died, once it was committed', async () => {
    const { runtime, told, heard, rotate } = await rig();
    expect(await heard('a')).toEqual([]);
    await rotate('v2');
    const fault = runtime.faults.killThread('signer/a');
    await runtime.clock.advance(5_000);
    expect([fault.fired, await heard('a'), told]).toEqual([true, [['v2', 2]], [['signer/a', 'v2', 2]]]);
    expect(runtime.get('signer/a')?.incarnation).toBe(2);
  });

  test('hears that a secret is not to be had, and that it is again, once each over the processes', async () => {
    const { runtime, provider, restart } = await rig({ fixture: 'heeding' });
    const told: unknown[] = [];
    const next = async (): Promise<void> => {
      await restart();
      runtime.on('secret', ({ type, versionId, epoch }) => told.push([type, versionId, epoch]));
      await runtime.getOrSpawn('signer', 'a');
      await runtime.settled();
    };
    await next();
    provider.behave({ failure: 'denied' });
    await next();
    await next();
    provider.behave({});
    provider.set('desk/key', 'v2', `${CANARY}-2`);
    await next();
    await next();
    expect(told).toEqual([
      ['secret.unavailable', undefined, 1],
      ['secret.rotated', 'v2', 2],
      ['secret.recovered', 'v2', 2],
    ]);
  });

  test('goes on from its own epoch where another one knows a lower one', async () => {
    const { runtime, told, heard, rotate, restart } = await rig();
    expect([await heard('a'), await heard('b')]).toEqual([[], []]);
    await (runtime.get('signer/a') as AgentRef).stop();
    await rotate('v2');
    await rotate('v3');
    await restart();
    told.length = 0;
    // A new one begins with what is there, by an epoch that counts from none.
    expect(await heard('a')).toEqual([]);
    await rotate('v4');
    expect(await heard('b')).toHaveLength(3);
    await rotate('v5');
    expect(told).toEqual([
      ['signer/a', 'v4', 2],
      ['signer/b', 'v4', 4],
      ['signer/a', 'v5', 5],
      ['signer/b', 'v5', 5],
    ]);
  });
});

test('an agent that does not heed a secret is written nothing for it', async () => {
  const { runtime, store, told, rotate } = await rig({ fixture: 'resting' });
  const ref = await runtime.spawn('signer', { id: 'a' });
  await ref.ask({ type: 'count' });
  const before = await store.load('signer/a');
  await rotate('v2');
  expect([await store.load('signer/a'), told.length]).toEqual([before, 1]);
  await ref.ask({ type: 'count' });
  expect((await store.load('signer/a'))?.meta).toContain('"versionId":"v2","epoch":2');
});

test('on real threads and a disk, the store has versions of secrets and no value', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-seen-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'store.db');
  const { runtime, heard, rotate, restart } = await rig({ store: sqliteStore({ path }), threads: true });
  expect(await heard('a')).toEqual([]);
  await rotate('v2');
  expect(await heard('a')).toEqual([['v2', 2]]);
  await restart();
  await rotate('v3');
  expect(await heard('a')).toEqual([
    ['v2', 2],
    ['v3', 3],
  ]);
  await runtime.stop();
  const bytes = await readFile(path);
  expect([bytes.includes('"v3"'), bytes.includes(CANARY)]).toEqual([true, false]);
});
