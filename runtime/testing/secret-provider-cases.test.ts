import { describe, expect, test } from 'vitest';
import { createMemoryProvider, type MemoryProvider } from '../../providers/memory.ts';
import { ProviderError, type SecretProvider } from '../../providers/provider.ts';
import { secretProviderCases } from './secret-provider-cases.ts';

/** The rules that a provider breaks. */
async function broken(wrong: (good: MemoryProvider) => Partial<SecretProvider>): Promise<string[]> {
  const cases = secretProviderCases({
    create() {
      const good = createMemoryProvider({ batch: 20, push: true });
      const provider = Object.assign(Object.create(good) as SecretProvider, wrong(good));
      return {
        provider,
        put: (id, value) => good.set(id, value),
        async hang() {
          good.hang({ times: 1, call: 'fetch' });
        },
      };
    },
    deadlineMs: 100,
  });
  const failed: string[] = [];
  for (const { name, run } of cases) await run().catch(() => failed.push(name));
  return failed;
}

const values = new Map<string, Uint8Array>();

const mistakes: [what: string, rule: RegExp, wrong: (good: MemoryProvider) => Partial<SecretProvider>][] = [
  [
    'a version for each fetch',
    /stays the same/,
    (good) => {
      let n = 0;
      return { fetch: async (...args) => ({ ...(await good.fetch(...args)), versionId: `v${(n += 1)}` }) };
    },
  ],
  [
    'one version for every value',
    /another value is another version/,
    (good) => ({ fetch: async (...args) => ({ ...(await good.fetch(...args)), versionId: 'v1' }) }),
  ],
  [
    'a version made of the value',
    /says nothing of its value/,
    (good) => ({
      async fetch(...args) {
        const result = await good.fetch(...args);
        return { ...result, versionId: new TextDecoder().decode(result.bytes) };
      },
    }),
  ],
  [
    'bytes of its own that it hands out',
    /belong to the caller/,
    (good) => ({
      async fetch(...args) {
        const result = await good.fetch(...args);
        const bytes = values.get(result.versionId) ?? result.bytes;
        values.set(result.versionId, bytes);
        return { ...result, bytes };
      },
    }),
  ],
  [
    'a signal that it does not look at',
    /signal has aborted/,
    (good) => ({ fetch: (ref, selector) => good.fetch(ref, selector, new AbortController().signal) }),
  ],
  [
    'a call that an abort does not end',
    /an abort ends/,
    (good) => ({
      fetch(ref, selector, signal) {
        signal.throwIfAborted();
        return good.fetch(ref, selector, new AbortController().signal);
      },
    }),
  ],
  [
    'another version than the one asked for',
    /version that does not exist/,
    (good) => ({ fetch: (ref, _selector, signal) => good.fetch(ref, {}, signal) }),
  ],
  [
    'an empty value for what is not there',
    /secret that does not exist/,
    (good) => ({
      fetch: (ref, selector, signal) =>
        ref.id === 'TCK_ABSENT'
          ? Promise.resolve({ versionId: 'v', stages: [], bytes: new Uint8Array() })
          : good.fetch(ref, selector, signal),
    }),
  ],
  [
    'a batch that fails as a whole',
    /fetchMany/,
    () => ({ fetchMany: () => Promise.reject(new ProviderError('not-found', 'one of them')) }),
  ],
  [
    'an error that quotes a value',
    /no error contains/,
    (good) => ({
      async fetch(ref, selector, signal) {
        return good.fetch(ref, selector, signal).catch((error: unknown) => {
          throw new ProviderError(good.classify(error), 'no', { cause: { nearby: 'CANARY one' } });
        });
      },
    }),
  ],
  [
    'a classify that throws',
    /classify takes anything/,
    () => ({ classify: (error) => (error as ProviderError).failure.trim() as 'transient' }),
  ],
  ['a classify that knows nothing', /knows an error/, () => ({ classify: () => 'transient' })],
  [
    'a prepare that throws',
    /prepare throws/,
    () => ({
      prepare() {
        throw new Error('not found');
      },
    }),
  ],
  [
    'a watch that never tells',
    /watch tells/,
    (good) => ({ watch: (_emit, signal) => good.watch!(() => {}, signal) }),
  ],
  [
    'a watch that never ends',
    /watch tells/,
    (good) => ({ watch: (emit, signal) => good.watch!(emit, signal).then(() => new Promise(() => {})) }),
  ],
  ['a batch that it does not have', /has a method for/, () => ({ capabilities: { versions: true } })],
  [
    'a second close that fails',
    /close may come/,
    (good) => ({
      close() {
        if (good.closed) throw new Error('closed');
        void good.close?.();
      },
    }),
  ],
];

describe('the cases for providers', () => {
  test.each(mistakes)('find %s', async (_what, rule, wrong) => {
    expect(await broken(wrong)).toContainEqual(expect.stringMatching(rule));
  });

  test('find nothing wrong with a good one', async () => {
    expect(await broken(() => ({}))).toEqual([]);
  });
});
