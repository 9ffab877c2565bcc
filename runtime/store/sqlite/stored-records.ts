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
  readonly order: RecordOrder;
}

/**
 * `address`: by their addresses. `spread`: in pages that lie far apart at first, so that whoever stops before the end has
 * seen of all parts of the store.
 */
export type RecordOrder = 'address' | 'spread';

/** The next records, and whether they are the last. */
export interface RecordsPage {
  readonly records: readonly StoredRecord[];
  readonly isLast: boolean;
  /** The number of records in the pages to come, as it was when the store was opened. */
  readonly left: number;
}

const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
const entry = new URL(`./records-thread${extension}`, import.meta.url);

/**
 * Reads all records of a store, also while its owner goes on; damaged ones are left out. `comes`: called before each record
 * with the number of those behind it, as it was at the beginning.
 */
export async function* storedRecords(
  path: string,
  keys?: StoreKeys,
  order: RecordOrder = 'address',
  comes?: (left: number) => void,
): AsyncGenerator<StoredRecord> {
  const workerData: RecordsThreadData = {
    path,
    now: Date.now(),
    encryption: keys && wrappingKeys(keys),
    order,
  };
  const worker = new Worker(entry, {
    name: 'holdfast:store-records',
    workerData,
    // From source, with what strips types.
    env: extension === '.ts' ? { ...process.env } : {},
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  try {
    for (let isLast = false; !isLast;) {
      worker.postMessage('next');
      const [answer] = (await once(worker, 'message')) as [RecordsPage | { error: WireStoreError }];
      if ('error' in answer) throw fromWire(answer.error);
      const { records, left } = answer;
      for (const [i, record] of records.entries()) {
        comes?.(left + records.length - i - 1);
        yield record;
      }
      isLast = answer.isLast;
    }
  } finally {
    await worker.terminate();
  }
}
