import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { group, record, turn } from '../../testing/durable-store-samples.ts';
import { address, fill, storeFolder } from './fixtures/filled.ts';
import {
  backupStore,
  checkStoreFile,
  compactStore,
  exportStoreLines,
  forgetInStore,
  restoreStore,
  resumeStore,
} from './store-care.ts';

const { path, open } = storeFolder();
const backup = path('backup.db');
let storeId: string;

beforeAll(async () => {
  const store = await open({ path: path('first.db') });
  ({ storeId } = store.opened);
  await fill(store, 100);
  let committed = 0;
  const going = new AbortController();
  // Its owner goes on meanwhile.
  const owner = (async () => {
    for (let after = 'fill'; !going.signal.aborted; committed++) {
      const next = `g${committed}`;
      await store.commit(
        group(next, {
          turns: [
            turn({ address: address(0), after, record: record({ address: address(0), seq: committed }) }),
          ],
        }),
      );
      after = next;
    }
  })();
  await backupStore(path('first.db'), backup);
  going.abort();
  await owner;
  expect(committed).toBeGreaterThan(0);
  await store.close();
});

test('a backup is whole, for its user alone, and takes no place of another file', async () => {
  expect(await checkStoreFile(backup)).toEqual({
    problems: [],
    counts: { records: 100, texts: 0, rows: 100, ids: 100, steps: 100, letters: 100 },
  });
  expect(statSync(backup).mode & 0o777).toBe(process.platform === 'win32' ? 0o666 : 0o600);
  await expect(backupStore(path('first.db'), backup)).rejects.toMatchObject({ code: 'STORE_FAILED' });
  await expect(backupStore(path('none.db'), path('x.db'))).rejects.toMatchObject({ code: 'STORE_FAILED' });
  expect(existsSync(path('none.db'))).toBe(false);
});

test('amendment 10: a restored store has a name of its own and wakes nobody until it is resumed; what was there stays', async () => {
  const file = path('restored.db');
  const old = await open({ path: file });
  await fill(old, 3);
  await expect(restoreStore(file, backup)).rejects.toMatchObject({ code: 'STORE_LOCKED' });
  await old.close();
  const { before } = await restoreStore(file, backup);
  expect((await checkStoreFile(before as string)).counts['records']).toBe(3);
  const store = await open({ path: file });
  expect(store.opened.storeId).not.toBe(storeId);
  expect(store.opened).toMatchObject({ restored: true, uncleanEnds: [] });
  expect((await store.size()).records).toBe(100);
  await store.close();
  const again = await open({ path: file });
  expect(again.opened.restored).toBe(true);
  await again.resume();
  await again.close();
  const resumed = await open({ path: file });
  expect(resumed.opened.restored).toBe(false);
  await resumed.close();
  await restoreStore(file, backup);
  await resumeStore(file);
  const last = await open({ path: file });
  expect(last.opened.restored).toBe(false);
});

test('a backup that is damaged is not restored, and nothing is changed', async () => {
  const bytes = readFileSync(backup);
  // Also where it is left over from before.
  for (let at = -1; (at = bytes.indexOf('secret secret', at + 1)) >= 0;) bytes[at] = 0x53;
  writeFileSync(path('damaged.db'), bytes);
  await expect(restoreStore(path('first.db'), path('damaged.db'))).rejects.toMatchObject({
    code: 'STORE_CORRUPT',
  });
  expect((await checkStoreFile(path('first.db'))).problems).toEqual([]);
});

test('a store of which a third is free is written anew, and one that is full is not', async () => {
  const file = path('compact.db');
  const store = await open({ path: file });
  await fill(store, 300);
  await expect(compactStore(file)).rejects.toMatchObject({ code: 'STORE_LOCKED' });
  await store.close();
  const full = await compactStore(file);
  expect(full.after).toBe(full.before);
  const again = await open({ path: file });
  const turns = Array.from({ length: 290 }, (_, i) =>
    turn({ address: address(i), after: 'fill', end: true }),
  );
  await again.commit(group('end', { turns, removedLetters: Array.from({ length: 290 }, (_, i) => `l${i}`) }));
  await again.tidy(1e15, 1e15);
  await again.close();
  const { before, after } = await compactStore(file);
  expect(after).toBeLessThan(before / 2);
  expect(statSync(file).size).toBeLessThan(before / 2);
  expect(await checkStoreFile(file)).toMatchObject({ problems: [], counts: { records: 10 } });
  const last = await open({ path: file });
  expect(last.opened).toMatchObject({ storeId: again.opened.storeId, restored: false });
});

test('where no store is, a command says so and makes none', async () => {
  const file = path('nowhere.db');
  for (const command of [compactStore, resumeStore, (of: string) => forgetInStore(of, 'a/1'), checkStoreFile])
    await expect(command(file)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('there is no store'),
    });
  expect(existsSync(file)).toBe(false);
});

test('an export has a line for everything, bytes as base64', async () => {
  const file = path('exported.db');
  const store = await open({ path: file });
  await fill(store, 4);
  await store.commit(
    group('b', {
      turns: [
        turn({ address: 'agent/b', record: record({ address: 'agent/b', state: Uint8Array.of(1, 2) }) }),
      ],
    }),
  );
  const to = path('lines.jsonl');
  expect(await exportStoreLines(file, to)).toBe(21);
  const lines = readFileSync(to, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const tables = lines.map(({ table }) => table);
  expect(
    ['records', 'rows', 'ids', 'steps', 'letters'].map(
      (table) => tables.filter((one) => one === table).length,
    ),
  ).toEqual([5, 4, 4, 4, 4]);
  expect(lines.find((line) => line['address'] === 'agent/b')).toMatchObject({
    state: { base64: 'AQI=' },
    commit: 'b',
  });
  await expect(exportStoreLines(file, to)).rejects.toMatchObject({ code: 'STORE_FAILED' });
});
