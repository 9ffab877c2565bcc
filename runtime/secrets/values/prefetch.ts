import { fetchDeadlineMs, type SecretEntrySpec } from '../../../actors/secret-entry.ts';
import { ProviderError, type FetchResult } from '../../../providers/provider.ts';
import type { SecretsClock } from './secrets-clock.ts';
import { refOf } from './fetch-secret.ts';
import { fetchedMany, type FetchedPart } from './provider-answers.ts';
import { callProvider, complain, type Called, type ProviderCalling } from './provider-call.ts';
import { pause } from './waits.ts';

/** Batches that begin at once: 200 secrets of AWS, and a tenth of the calls that it allows in a second. */
const batchesAtOnce = 10;
/**
 * Milliseconds between the starts of later batches: AWS allows 100 calls a second, and this leaves two thirds to
 * others.
 */
const betweenBatchesMs = 34;
/** The secrets that are fetched singly at one time, where a provider has no batches. */
const singlesAtOnce = 8;

type Batch = ReadonlyMap<string, FetchedPart>;

/** Fetches secrets before anybody uses them. */
export interface Prefetch {
  /**
   * Starts to fetch the entries in their order: in batches where the provider takes them, else some at a time. `need`
   * is called for each when it is its turn, and receives the result of the batch.
   */
  start(entries: readonly SecretEntrySpec[], need: (entry: SecretEntrySpec) => Promise<unknown>): void;
  /** The result of the batch for this entry, once. Undefined: the entry is in no batch. */
  take(key: string): Promise<Called<FetchResult>> | undefined;
  stop(): void;
}

export function createPrefetch(calling: ProviderCalling, clock: SecretsClock): Prefetch {
  const batched = new Map<string, Promise<Called<FetchResult> | undefined>>();
  const stopping = new AbortController();

  /** Makes one call; results are by key. Undefined: the entry is to be tried alone. */
  async function fetchBatch(
    alias: string,
    entries: readonly SecretEntrySpec[],
  ): Promise<Map<string, Called<FetchResult> | undefined>> {
    const deadline = new AbortController();
    const timer = clock.setTimeout(() => deadline.abort(), fetchDeadlineMs);
    const signal = AbortSignal.any([deadline.signal, stopping.signal]);
    const found: Called<Batch> = await callProvider(calling, alias, 'fetchMany', signal, async (provider) => {
      const many = await provider.fetchMany?.(entries.map(refOf), signal);
      return reached(many === undefined ? new Map<string, FetchedPart>() : fetchedMany(many));
    });
    clock.clearTimeout(timer);
    if (found.ok) for (const part of found.value.values()) complain(calling, alias, part);
    return new Map(entries.map((entry) => [entry.key, partOf(found, entry.id)]));
  }

  async function inBatches(
    alias: string,
    entries: readonly SecretEntrySpec[],
    size: number,
    need: (entry: SecretEntrySpec) => Promise<unknown>,
  ): Promise<void> {
    for (const [n, batch] of batchesOf(entries, size).entries()) {
      if (n >= batchesAtOnce) await pause(clock, betweenBatchesMs, stopping.signal);
      if (stopping.signal.aborted) return;
      const results = fetchBatch(alias, batch);
      for (const { key } of batch)
        batched.set(
          key,
          results.then((found) => found.get(key)),
        );
      void Promise.allSettled(batch.map(need))
        .then(() => results)
        .then((found) => {
          // An entry that was being fetched already does not use the result.
          for (const { key } of batch) if (batched.delete(key)) wipe(found.get(key));
        });
    }
  }

  async function oneByOne(
    entries: readonly SecretEntrySpec[],
    need: (entry: SecretEntrySpec) => Promise<unknown>,
  ): Promise<void> {
    const left = entries.values();
    const worker = async (): Promise<void> => {
      for (const entry of left) {
        if (stopping.signal.aborted) return;
        await need(entry);
      }
    };
    await Promise.allSettled(Array.from({ length: singlesAtOnce }, worker));
  }

  return {
    start(entries, need) {
      for (const [alias, those] of Map.groupBy(entries, ({ provider }) => provider)) {
        const provider = calling.providers.get(alias);
        const size = provider.fetchMany === undefined ? 0 : (provider.capabilities.batch ?? 0);
        const isWorthIt = Math.min(size, those.length) > 1;
        void (isWorthIt ? inBatches(alias, those, size, need) : oneByOne(those, need));
      }
    },
    take(key) {
      const result = batched.get(key);
      batched.delete(key);
      return result as Promise<Called<FetchResult>> | undefined;
    },
    stop: () => stopping.abort(),
  };
}

/** An id stands for one secret in one call, so secrets that share it go into different calls. */
function batchesOf(entries: readonly SecretEntrySpec[], size: number): SecretEntrySpec[][] {
  const batches: Map<string, SecretEntrySpec>[] = [];
  for (const entry of entries) {
    const fits = batches.find((batch) => batch.size < size && !batch.has(entry.id));
    if (fits === undefined) batches.push(new Map([[entry.id, entry]]));
    else fits.set(entry.id, entry);
  }
  return batches.map((batch) => Array.from(batch.values()));
}

/** @throws {ProviderError} when all failed in a way that is the provider's fault and not theirs */
function reached(batch: Batch): Batch {
  const failures = [...batch.values()].map((part) => ('failure' in part ? part.failure : undefined));
  const [first] = failures;
  const isPassing = failures.every((failure) => failure === 'transient' || failure === 'throttled');
  if (first === undefined || !isPassing) return batch;
  throw new ProviderError(first, 'Nothing of a batch could be read.');
}

function partOf(found: Called<Batch>, id: string): Called<FetchResult> | undefined {
  // A refusal of batches says nothing about single calls.
  if (!found.ok) return found.failure === 'transient' || found.failure === 'throttled' ? found : undefined;
  const part = found.value.get(id);
  if (part === undefined) return undefined;
  return 'failure' in part ? { ok: false, failure: part.failure } : { ok: true, value: part };
}

function wipe(result: Called<FetchResult> | undefined): void {
  if (result?.ok === true) result.value.bytes.fill(0);
}
