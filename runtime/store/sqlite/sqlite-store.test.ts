import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, test } from 'vitest';
import {
  durableStoreCases,
  type DurableStoreCases,
  testDurableStore,
} from '../../testing/durable-store-cases.ts';
import type { DurableStore } from '../durable-store.ts';
import type { FaultyCommits } from '../faulty-commits.ts';
import { openableStore, type SqliteStoreOptions } from './sqlite-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-store-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

/** Stores in files, the next of which opens what the one before has written. */
function inFiles(options: Omit<SqliteStoreOptions, 'path'> = {}): DurableStoreCases {
  const paths = new WeakMap<DurableStore, string>();
  const at = (path = join(folder, `${files++}.db`), lock = true, maxBytes?: number): DurableStore => {
    const store = openableStore({ path, fsync: 'os', maxBytes, ...options }, { lock });
    paths.set(store, path);
    return store;
  };
  return {
    create: () => at(),
    async reopen(store, how) {
      if (how === 'killed') await (store as DurableStore & FaultyCommits).kill();
      return at(paths.get(store));
    },
    overtake: (store) => at(paths.get(store), false),
    crowd(store) {
      const path = paths.get(store) as string;
      return at(path, true, Math.floor(statSync(path).size * 1.05));
    },
  };
}

describe('the durable store in a SQLite file', () => {
  testDurableStore({ test: it, ...inFiles() });
});

test('an encrypted store gives back what it was given', async () => {
  const values =
    /as it was|each field|text stays|five megabytes|same group again|steps are|letters are|becomes a letter|was killed/;
  const cases = durableStoreCases(inFiles({ encryption: { key: new Uint8Array(32).fill(7) } }));
  const failed: unknown[] = [];
  for (const { name, run } of cases.filter((one) => values.test(one.name)))
    await run().catch((error: unknown) => failed.push([name, error]));
  expect(failed).toEqual([]);
});
