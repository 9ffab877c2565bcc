import { beforeEach, describe, expect, test, vi } from 'vitest';
import { fetchIntoVault, type FetchDependencies } from './fetch-secret.ts';
import { createMemoryProvider, type MemoryProvider } from '../fixtures/memory-provider.ts';
import { createBatchedReads } from './batched-reads.ts';
import type { ProviderCalling } from './provider-call.ts';
import { createProviderPool } from './provider-pool.ts';
import { createVault } from './vault.ts';

const input = {
  key: 'default:k@AWSCURRENT',
  provider: 'default',
  id: 'k',
  stage: 'AWSCURRENT',
  ttlMs: 1,
  maxStaleMs: 1,
};
const signal = new AbortController().signal;
let provider: MemoryProvider;
let dependencies: FetchDependencies;
let closed: 'throttled' | undefined;
let ended: string[];

beforeEach(() => {
  provider = createMemoryProvider();
  provider.set('k', 'v1', 'value-one');
  const declaration = { alias: 'default', provider: 'memory', cacheTtlMs: 1, options: {} };
  let time = 0;
  closed = undefined;
  ended = [];
  const calling = {
    providers: createProviderPool([declaration], [provider]),
    gate: { closedFor: () => closed, ended: (_, failure) => void ended.push(failure ?? 'answered') },
  } satisfies ProviderCalling;
  dependencies = {
    ...calling,
    reads: createBatchedReads(calling),
    vault: createVault(),
    now: () => (time += 10),
  };
});

const held = (versionId: string): string | undefined =>
  dependencies.vault.read(input.key, versionId)?.toString();

describe('a fetch', () => {
  test('brings the value into the vault and reports no more than the version and when it was asked for', async () => {
    expect(await fetchIntoVault(dependencies, input, signal)).toEqual({
      ok: true,
      versionId: 'v1',
      fetchedAt: 10,
    });
    expect(held('v1')).toBe('value-one');
    expect(provider.handedOut[0]).toEqual(new Uint8Array(9));
  });

  test('takes no placeholder, wipes it, and tells why without a word of it', async () => {
    const told: unknown[] = [];
    provider.set('k', 'v1', 'your-api-key');
    const outcome = await fetchIntoVault(
      { ...dependencies, placeholder: (ref, why) => told.push(ref, why) },
      input,
      signal,
    );
    expect(outcome).toEqual({ ok: false, failure: 'invalid' });
    expect([held('v1'), provider.handedOut[0]]).toEqual([undefined, new Uint8Array(12)]);
    expect(told).toEqual([expect.objectContaining({ id: 'k' }), 'it is a text that stands for the real one']);
  });

  test('looks first when the known version is held, and reads by version when it changed', async () => {
    await fetchIntoVault(dependencies, input, signal);
    await fetchIntoVault(dependencies, { ...input, knownVersionId: 'v1' }, signal);
    provider.set('k', 'v2', 'value-two');
    await fetchIntoVault(dependencies, { ...input, knownVersionId: 'v1' }, signal);
    expect(provider.log).toEqual(['fetch k', 'describe k', 'describe k', 'fetch k']);
    expect([held('v1'), held('v2')]).toEqual(['value-one', 'value-two']);
  });

  test('reads at once when the known version is not held any more', async () => {
    await fetchIntoVault(dependencies, { ...input, knownVersionId: 'v1' }, signal);
    expect(provider.log).toEqual(['fetch k']);
  });

  test('that ends after it was given up leaves nothing behind', async () => {
    const gate = Promise.withResolvers<void>();
    provider.behave({ until: gate.promise });
    const aborting = new AbortController();
    const late = fetchIntoVault(dependencies, input, aborting.signal);
    await vi.waitFor(() => expect(provider.log).toEqual(['fetch k']));
    aborting.abort();
    gate.resolve();
    expect(await late).toEqual({ ok: false, failure: 'transient' });
    expect([provider.handedOut[0], held('v1')]).toEqual([new Uint8Array(9), undefined]);
  });

  test.each([
    ['without a version', '', 'value', 'invalid'],
    ['of more than 64 KiB', 'v2', 'x'.repeat(65_537), 'invalid'],
  ])('of a value %s keeps nothing', async (_, versionId, value, expected) => {
    provider.set('k', versionId, value);
    expect(await fetchIntoVault(dependencies, input, signal)).toEqual({ ok: false, failure: expected });
    expect(dependencies.vault.versions(input.key)).toEqual([]);
    expect(provider.handedOut[0]?.every((byte) => byte === 0)).toBe(true);
  });

  test('tells the class of an error and nothing else of it, also when classifying throws', async () => {
    provider.behave({ throws: new Error('CANARY-in-error') });
    expect(await fetchIntoVault(dependencies, input, signal)).toEqual({ ok: false, failure: 'transient' });
    provider.classify = () => {
      throw new Error('CANARY-in-classify');
    };
    expect(await fetchIntoVault(dependencies, input, signal)).toEqual({ ok: false, failure: 'transient' });
  });

  test('from a provider that was never declared is invalid', async () => {
    const outcome = await fetchIntoVault(dependencies, { ...input, provider: 'other' }, signal);
    expect(outcome).toEqual({ ok: false, failure: 'invalid' });
  });

  test('of a version that a hint names reads it by its id, and takes it only while it is the current one', async () => {
    provider.set('k', 'v2', 'value-two');
    const hinted = { ...input, hintedVersionId: 'v2' };
    expect(await fetchIntoVault(dependencies, hinted, signal)).toMatchObject({ versionId: 'v2' });
    expect(provider.log).toEqual(['fetch k']);
    provider.set('k', 'v3', 'value-three');
    const late = { ...input, knownVersionId: 'v2', hintedVersionId: 'v1' };
    expect(await fetchIntoVault(dependencies, late, signal)).toMatchObject({ versionId: 'v3' });
    expect(provider.log).toEqual(['fetch k', 'fetch k', 'describe k', 'fetch k']);
    expect(provider.handedOut[1]?.every((byte) => byte === 0)).toBe(true);
    const unknown = { ...input, knownVersionId: 'v3', hintedVersionId: 'v0' };
    expect(await fetchIntoVault(dependencies, unknown, signal)).toMatchObject({ versionId: 'v3' });
  });

  test('of a version that was replaced between the look and the read reads what is current', async () => {
    await fetchIntoVault(dependencies, input, signal);
    const gone = provider.fail('not-found', { call: 'fetch', times: 1 });
    provider.set('k', 'v2', 'value-two');
    const outcome = await fetchIntoVault(dependencies, { ...input, knownVersionId: 'v1' }, signal);
    expect([outcome, gone.fired]).toMatchObject([{ versionId: 'v2' }, 1]);
  });

  test('of a provider that was given up calls nobody and fails as it did', async () => {
    closed = 'throttled';
    expect(await fetchIntoVault(dependencies, input, signal)).toEqual({ ok: false, failure: 'throttled' });
    expect(provider.log).toEqual([]);
  });

  test('tells the breaker of each call, and of one that hangs as soon as it is given up', async () => {
    await fetchIntoVault(dependencies, input, signal);
    const denied = provider.fail('denied', { times: 1 });
    await fetchIntoVault(dependencies, input, signal);
    expect([ended, denied.fired]).toEqual([['answered', 'denied'], 1]);
    const hung = provider.hang({ ignoreAbort: true });
    const aborting = new AbortController();
    const late = fetchIntoVault(dependencies, input, aborting.signal);
    await Promise.resolve();
    aborting.abort();
    expect(ended.slice(2)).toEqual(['transient']);
    hung.release();
    await late;
    expect(ended.slice(2)).toEqual(['transient']);
  });
});
