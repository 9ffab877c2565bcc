import type { SecretEntrySpec } from '../../../actors/secret-entry.ts';
import { batchesAtOnce, batchesOf, batchSize } from './batched-reads.ts';
import type { ProviderPool } from './provider-pool.ts';
import type { SecretsClock } from './secrets-clock.ts';
import { pause } from './waits.ts';

/**
 * Milliseconds between the starts of later batches: AWS allows 100 calls a second, and this leaves two thirds to
 * others.
 */
const betweenBatchesMs = 34;
/** The secrets that are fetched singly at one time, where a provider has no batches. */
const singlesAtOnce = 8;

/** Needs some entries, and resolves when all of them are answered. Never rejects. */
type Need = (entries: readonly SecretEntrySpec[]) => Promise<unknown>;

/** Fetches secrets before anybody uses them. */
export interface Prefetch {
  /**
   * Starts to fetch the entries in their order: as many at a time as make a batch where the provider takes them, else
   * some. `need` is called with those whose turn it is.
   */
  start(entries: readonly SecretEntrySpec[], need: Need): void;
  stop(): void;
}

export function createPrefetch(providers: ProviderPool, clock: SecretsClock): Prefetch {
  const stopping = new AbortController();

  async function inBatches(entries: readonly SecretEntrySpec[], size: number, need: Need): Promise<void> {
    for (const [n, batch] of batchesOf(entries, size).entries()) {
      if (n >= batchesAtOnce) await pause(clock, betweenBatchesMs, stopping.signal);
      if (stopping.signal.aborted) return;
      void need(batch);
    }
  }

  async function oneByOne(entries: readonly SecretEntrySpec[], need: Need): Promise<void> {
    const left = entries.values();
    const worker = async (): Promise<void> => {
      for (const entry of left) {
        if (stopping.signal.aborted) return;
        await need([entry]);
      }
    };
    await Promise.allSettled(Array.from({ length: singlesAtOnce }, worker));
  }

  return {
    start(entries, need) {
      for (const [alias, those] of Map.groupBy(entries, ({ provider }) => provider)) {
        const size = batchSize({ providers }, alias);
        const isWorthIt = Math.min(size, those.length) > 1;
        void (isWorthIt ? inBatches(those, size, need) : oneByOne(those, need));
      }
    },
    stop: () => stopping.abort(),
  };
}
