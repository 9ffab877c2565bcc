import { describe, expect, test, vi } from 'vitest';
import { testSecretProvider } from '../runtime/testing/secret-provider-cases.ts';
import { createMemoryProvider } from './memory.ts';
import { ProviderError, type RotationHint } from './provider.ts';

const ref = (id: string) => ({ provider: 'default', id });
const { signal } = new AbortController();
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe.each([{}, { batch: 2, push: true }])('the memory provider with %j keeps the rules', (options) => {
  testSecretProvider({
    test,
    create() {
      const provider = createMemoryProvider(options);
      return {
        provider,
        put: provider.set,
        hang() {
          const fault = provider.hang({ times: 1 });
          return vi.waitFor(() => expect(fault.fired).toBe(1));
        },
      };
    },
  });
});

describe('the memory provider', () => {
  test('makes a version of each value, keeps the one before and goes back to it', async () => {
    const provider = createMemoryProvider();
    const one = provider.set('k', 'one');
    expect(provider.set('k', 'one')).toBe(one);
    const two = provider.rotate('k', 'two');
    expect(await provider.describe(ref('k'), signal)).toEqual({ current: two, previous: one });
    const previous = await provider.fetch({ ...ref('k'), stage: 'AWSPREVIOUS' }, {}, signal);
    expect([text(previous.bytes), previous.stages]).toEqual(['one', ['AWSPREVIOUS']]);
    provider.set('k', 'one', one);
    expect((await provider.fetch(ref('k'), {}, signal)).versionId).toBe(one);
    expect(() => provider.set('k', 'other', one)).toThrow('has another value already');
    expect(() => provider.rotate('absent', 'x')).toThrow('no secret absent');
  });

  test('forgets what is removed', async () => {
    const provider = createMemoryProvider();
    provider.set('k', 'one');
    provider.remove('k');
    await expect(provider.fetch(ref('k'), {}, signal)).rejects.toMatchObject({ failure: 'not-found' });
  });

  test('fails as it is told, so many times, for that call', async () => {
    const provider = createMemoryProvider();
    provider.set('k', 'one');
    const fault = provider.fail('throttled', { call: 'fetch', times: 1 });
    await provider.describe(ref('k'), signal);
    await expect(provider.fetch(ref('k'), {}, signal)).rejects.toThrow(ProviderError);
    await provider.fetch(ref('k'), {}, signal);
    expect(fault.fired).toBe(1);
    const other = provider.fail(new Error('strange'));
    await expect(provider.describe(ref('k'), signal)).rejects.toThrow('strange');
    other.stop();
    await provider.describe(ref('k'), signal);
    expect(provider.log).toEqual(['describe k', 'fetch k', 'fetch k', 'describe k', 'describe k']);
    // What was not delivered is not left behind.
    expect(provider.handedOut.map((bytes) => text(bytes))).toEqual(['\0\0\0', 'one']);
  });

  test('hangs until it is released, and carries then what was current when it was asked', async () => {
    const provider = createMemoryProvider();
    provider.set('k', 'one');
    const fault = provider.hang();
    const slow = provider.fetch(ref('k'), {}, signal);
    provider.set('k', 'two');
    expect(fault.fired).toBe(1);
    fault.release();
    expect(text((await slow).bytes)).toBe('one');
    expect(text((await provider.fetch(ref('k'), {}, signal)).bytes)).toBe('two');
  });

  test('can be deaf to an abort', async () => {
    const provider = createMemoryProvider();
    provider.set('k', 'one');
    const fault = provider.hang({ ignoreAbort: true });
    const ending = new AbortController();
    const deaf = provider.fetch(ref('k'), {}, ending.signal);
    ending.abort();
    fault.release();
    expect(text((await deaf).bytes)).toBe('one');
  });

  test('tells those who watch of each change', async () => {
    const provider = createMemoryProvider({ name: 'm', push: true });
    const hints: RotationHint[] = [];
    const ending = new AbortController();
    const watching = provider.watch?.((hint) => hints.push(hint), ending.signal);
    const versionId = provider.set('k', 'one');
    ending.abort();
    await watching;
    provider.set('k', 'two');
    expect(hints).toEqual([{ id: 'k', versionId, stage: 'AWSCURRENT', source: 'm' }]);
  });
});
