import { beforeEach, describe, expect, test } from 'vitest';
import { createMemoryProvider, type MemoryProvider } from '../../../providers/memory.ts';
import { createBatchedReads, type BatchedReads } from './batched-reads.ts';
import { createProviderPool } from './provider-pool.ts';

let provider: MemoryProvider;
let reads: BatchedReads;
const names = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, at) => `s${from + at}`);
const never = new AbortController().signal;
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function use(options: Parameters<typeof createMemoryProvider>[0]): void {
  provider = createMemoryProvider(options);
  const declaration = { alias: 'default', provider: 'memory', cacheTtlMs: 1, options: {} };
  reads = createBatchedReads({
    providers: createProviderPool([declaration], [provider]),
    gate: { closedFor: () => undefined, ended: () => {} },
  });
  for (const id of names(250)) provider.set(id, `value of ${id}`);
}

/** What came: the value, or why there is none. */
async function read(id: string, signal = never): Promise<string> {
  const entry = { key: id, provider: 'default', id, stage: 'AWSCURRENT', ttlMs: 1, maxStaleMs: 1 };
  const found = await reads.read(entry, signal);
  return found.ok ? Buffer.from(found.value.bytes).toString() : found.failure;
}

/** The refs of each call so far. */
const sizes = (): number[] => provider.log.map((call) => call.split(' ').length - 1);

beforeEach(() => use({ batch: 20 }));

describe('reads of a provider that takes batches', () => {
  test('share calls when they are asked for in one tick, and each gets its own value', async () => {
    const ids = names(45);
    expect(await Promise.all(ids.map((id) => read(id)))).toEqual(ids.map((id) => `value of ${id}`));
    expect(sizes()).toEqual([20, 20, 5]);
  });

  test('are single calls when there is but one', async () => {
    await read('s0');
    await read('s1');
    expect(provider.log).toEqual(['fetch s0', 'fetch s1']);
  });

  test('get what is wrong with them, and the others their values', async () => {
    const found = await Promise.all(['s0', 'absent', 's1'].map((id) => read(id)));
    expect(found).toEqual(['value of s0', 'not-found', 'value of s1']);
  });

  test('are made one by one where batches are refused, and nobody fails', async () => {
    provider.fail('denied', { call: 'fetchMany' });
    expect(await Promise.all(['s0', 's1'].map((id) => read(id)))).toEqual(['value of s0', 'value of s1']);
    expect(provider.log).toEqual(['fetchMany s0 s1', 'fetch s0', 'fetch s1']);
  });

  test('wait while ten calls are under way, and those that come meanwhile share the next', async () => {
    const slow = provider.hang({ call: 'fetchMany' });
    const first = names(210).map((id) => read(id));
    await settle();
    const later = names(5, 210).map((id) => read(id));
    await settle();
    expect(sizes()).toEqual(Array(10).fill(20));
    slow.release();
    expect(await Promise.all([...first, ...later])).toEqual(names(215).map((id) => `value of ${id}`));
    expect(sizes()).toEqual([...Array(10).fill(20), 15]);
  });

  test('end their call when nobody waits for it any more, and not before', async () => {
    const hung = provider.hang({ call: 'fetchMany' });
    const [one, other] = [new AbortController(), new AbortController()];
    const found = [read('s0', one.signal), read('s1', other.signal)];
    await settle();
    one.abort();
    await settle();
    hung.release();
    expect((await Promise.all(found))[1]).toBe('value of s1');

    provider.hang({ call: 'fetchMany' });
    const given = ['s0', 's1'].map((id) => read(id, other.signal));
    await settle();
    other.abort();
    expect(await Promise.all(given)).toEqual(['transient', 'transient']);
  });

  test('that are given up before their turn are in no call', async () => {
    const gone = new AbortController();
    const found = ['s0', 's1', 's2'].map((id) => read(id, id === 's1' ? gone.signal : never));
    gone.abort();
    expect(await Promise.all(found)).toEqual(['value of s0', 'transient', 'value of s2']);
    expect(provider.log).toEqual(['fetchMany s0 s2']);
  });
});

test('reads of a provider without batches are single calls', async () => {
  use({});
  await Promise.all(['s0', 's1'].map((id) => read(id)));
  expect(provider.log).toEqual(['fetch s0', 'fetch s1']);
});
