import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { StoredRecord } from '../durable-store.ts';
import type { WrappingKeys } from './key-ring.ts';
import type { StoreKeys } from '../store-keys.ts';
import { wrappingKeys } from './store-encryption.ts';
import { fromWire, type WireStoreError } from './wire-store-error.ts';

export interface RecordsThreadData {
  readonly path: string;
  readonly now: number;
  readonly encryption: WrappingKeys | undefined;
}

/** Some records, and the address of the last one that was looked at; without one there are no more. */
export interface RecordsPage {
  readonly records: readonly StoredRecord[];
  readonly last: string | undefined;
}

const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
const entry = new URL(`./records-thread${extension}`, import.meta.url);

/** Reads all records of a store by their addresses, also while its owner goes on; damaged ones are left out. */
export async function* storedRecords(path: string, keys?: StoreKeys): AsyncGenerator<StoredRecord> {
  const workerData: RecordsThreadData = {
    path,
    now: Date.now(),
    encryption: keys && wrappingKeys(keys),
  };
  const worker = new Worker(entry, {
    name: 'holdfast:store-records',
    workerData,
    // From source, with what strips types.
    env: extension === '.ts' ? { ...process.env } : {},
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  try {
    for (let after: string | undefined = ''; after !== undefined;) {
      worker.postMessage(after);
      const [answer] = (await once(worker, 'message')) as [RecordsPage | { error: WireStoreError }];
      if ('error' in answer) throw fromWire(answer.error);
      yield* answer.records;
      after = answer.last;
    }
  } finally {
    await worker.terminate();
  }
}
