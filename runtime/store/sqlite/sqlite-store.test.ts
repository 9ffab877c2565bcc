import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, it } from 'vitest';
import { testDurableStore } from '../../testing/durable-store-cases.ts';
import type { DurableStore } from '../durable-store.ts';
import { type FaultyCommits, openableStore } from './sqlite-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-store-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the durable store in a SQLite file', () => {
  const paths = new WeakMap<DurableStore, string>();
  let files = 0;
  const at = (path = join(folder, `${files++}.db`), lock = true): DurableStore => {
    const store = openableStore({ path, fsync: 'os' }, { lock });
    paths.set(store, path);
    return store;
  };
  testDurableStore({
    test: it,
    create: () => at(),
    async reopen(store, how) {
      if (how === 'killed') await (store as DurableStore & FaultyCommits).kill();
      return at(paths.get(store));
    },
    overtake: (store) => at(paths.get(store), false),
  });
});
