import type { SecretEntrySpec } from '../../../actors/secret-entry.ts';
import { ProviderError, type FetchResult, type SecretRef } from '../../../providers/provider.ts';
import { fetched, fetchedMany, type FetchedPart } from './provider-answers.ts';
import { callProvider, complain, type Called, type ProviderCalling } from './provider-call.ts';

/** The batches of a provider that are under way at one time: 200 secrets of AWS, and a tenth of the calls of a second. */
export const batchesAtOnce = 10;

type Batch = ReadonlyMap<string, FetchedPart>;

/** Reads of current values, which share calls. */
export interface BatchedReads {
  /**
   * Reads the current value of an entry, when the tick is over. Where its provider takes batches, reads that are asked for in one tick share
   * calls, and so do those that have to wait because so many calls are under way. The end of a read ends its call only
   * when nobody else waits for that. Never rejects.
   */
  read(entry: SecretEntrySpec, signal: AbortSignal): Promise<Called<FetchResult>>;
}

interface Read {
  readonly entry: SecretEntrySpec;
  readonly id: string;
  readonly signal: AbortSignal;
  readonly settle: (result: Called<FetchResult> | Promise<Called<FetchResult>>) => void;
}

interface Queue {
  waiting: Read[];
  /** Whether those who wait are looked at when the tick ends. */
  isDue: boolean;
  calls: number;
}

export function createBatchedReads(calling: ProviderCalling): BatchedReads {
  const queues = new Map<string, Queue>();

  function readAlone(entry: SecretEntrySpec, signal: AbortSignal): Promise<Called<FetchResult>> {
    return callProvider(calling, entry.provider, 'fetch', signal, async (provider) =>
      fetched(await provider.fetch(refOf(entry), { stage: entry.stage }, signal)),
    );
  }

  async function readTogether(alias: string, reads: readonly Read[]): Promise<void> {
    const { signal, forget } = allAborted(reads);
    const found: Called<Batch> = await callProvider(calling, alias, 'fetchMany', signal, async (provider) => {
      const many = await provider.fetchMany?.(
        reads.map(({ entry }) => refOf(entry)),
        signal,
      );
      return reached(many === undefined ? new Map<string, FetchedPart>() : fetchedMany(many));
    });
    forget();
    if (found.ok) for (const part of found.value.values()) complain(calling, alias, part);
    for (const read of reads) read.settle(partOf(found, read.id) ?? readAlone(read.entry, read.signal));
  }

  function makeCalls(alias: string, queue: Queue): void {
    queue.isDue = false;
    const waiting = queue.waiting.filter(isWanted);
    const size = batchSize(calling, alias);
    if (size < 2 || waiting.length === 1) {
      queue.waiting = [];
      for (const { entry, signal, settle } of waiting) settle(readAlone(entry, signal));
      return;
    }
    const batches = batchesOf(waiting, size);
    const now = batches.splice(0, batchesAtOnce - queue.calls);
    queue.waiting = batches.flat();
    for (const batch of now) {
      queue.calls += 1;
      void readTogether(alias, batch).finally(() => {
        queue.calls -= 1;
        makeCalls(alias, queue);
      });
    }
  }

  return {
    read(entry, signal) {
      const { provider: alias, id } = entry;
      const queue = queues.get(alias) ?? { waiting: [], isDue: false, calls: 0 };
      queues.set(alias, queue);
      const { promise, resolve: settle } = Promise.withResolvers<Called<FetchResult>>();
      queue.waiting.push({ entry, id, signal, settle });
      if (!queue.isDue) queueMicrotask(() => makeCalls(alias, queue));
      queue.isDue = true;
      return promise;
    },
  };
}

/** The entry's secret as a provider names it. */
export function refOf({ provider, id, stage, role }: SecretEntrySpec): SecretRef {
  return { provider, id, stage, ...(role !== undefined && { role }) };
}

/** The refs that the provider takes in one call; 0: it has no batches, or cannot be made. */
export function batchSize({ providers }: Pick<ProviderCalling, 'providers'>, alias: string): number {
  try {
    const provider = providers.get(alias);
    return provider.fetchMany === undefined ? 0 : (provider.capabilities.batch ?? 0);
  } catch {
    // The call that follows fails in the same way, and tells those who wait.
    return 0;
  }
}

/** An id stands for one secret in one call, so secrets that share it go into different calls. */
export function batchesOf<T extends { readonly id: string }>(all: readonly T[], size: number): T[][] {
  const batches: Map<string, T>[] = [];
  for (const one of all) {
    const fits = batches.find((batch) => batch.size < size && !batch.has(one.id));
    if (fits === undefined) batches.push(new Map([[one.id, one]]));
    else fits.set(one.id, one);
  }
  return batches.map((batch) => Array.from(batch.values()));
}

/** Whether somebody still waits; who does not is told so. */
function isWanted({ signal, settle }: Read): boolean {
  if (signal.aborted) settle({ ok: false, failure: 'transient' });
  return !signal.aborted;
}

/** A signal that aborts as soon as those of all reads have. */
function allAborted(reads: readonly Read[]): { readonly signal: AbortSignal; readonly forget: () => void } {
  const ending = new AbortController();
  const wanted = new Set(reads.map(({ signal }) => signal));
  const leave = ({ target }: Event): void => {
    wanted.delete(target as AbortSignal);
    if (wanted.size === 0) ending.abort();
  };
  const signals = [...wanted];
  for (const signal of signals) signal.addEventListener('abort', leave, { once: true });
  return {
    signal: ending.signal,
    forget: () => {
      for (const signal of signals) signal.removeEventListener('abort', leave);
    },
  };
}

/** @throws {ProviderError} when all failed in a way that is the provider's fault and not theirs */
function reached(batch: Batch): Batch {
  const failures = [...batch.values()].map((part) => ('failure' in part ? part.failure : undefined));
  const [first] = failures;
  const isPassing = failures.every((failure) => failure === 'transient' || failure === 'throttled');
  if (first === undefined || !isPassing) return batch;
  throw new ProviderError(first, 'Nothing of a batch could be read.');
}

/** Undefined: the entry is to be tried alone. */
function partOf(found: Called<Batch>, id: string): Called<FetchResult> | undefined {
  // A refusal of batches says nothing about single calls.
  if (!found.ok) return found.failure === 'transient' || found.failure === 'throttled' ? found : undefined;
  const part = found.value.get(id);
  if (part === undefined) return undefined;
  return 'failure' in part ? { ok: false, failure: part.failure } : { ok: true, value: part };
}
