import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { group, keptId, record, turn } from '../../testing/durable-store-samples.ts';
import { address, fill, storeFolder } from './fixtures/filled.ts';
import { TABLES } from '../columns/forms.ts';
import { checkStoreFile, exportStoreLines, rekeyStoreFile } from './store-care.ts';

const { path, open } = storeFolder();
const key = (n: number): Uint8Array => new Uint8Array(40).fill(n);
const CANARY = 'canary-3b90';

/** By table, the numbers of the keys with which rows are encrypted, and those that the store has. */
function keysIn(file: string): { readonly used: unknown[]; readonly kept: unknown[] } {
  const db = new DatabaseSync(file, { readOnly: true });
  const numbers = (sql: string): unknown[] =>
    db
      .prepare(sql)
      .all()
      .map((row) => Object.values(row)[0]);
  const used = TABLES.map(({ table }) => numbers(`select distinct key_id from ${table}`));
  const kept = numbers('select id from keys');
  db.close();
  return { used, kept };
}

let exported = 0;
async function linesOf(file: string, keys?: Uint8Array): Promise<string[]> {
  const to = path(`lines-${exported++}.jsonl`);
  await exportStoreLines(file, to, keys && { key: keys });
  return readFileSync(to, 'utf8').split('\n').toSorted();
}

/** A store with everything that one can have, of one opening or two, with a key or none. */
async function made(name: string, by?: Uint8Array, openings = 1): Promise<string> {
  const file = path(name);
  const options = { path: file, ...(by && { encryption: { key: by } }) };
  const first = await open(options);
  await fill(first, 20, CANARY);
  if (openings > 1) await first.close();
  const second = openings > 1 ? await open(options) : first;
  const long = `"${CANARY.repeat(200)}"`;
  const mark = '\u00011\u0001';
  const parts = { text: `[${mark}]`, isWhole: true, added: [[1, long]] as const, removed: [] };
  const one = record({ address: 'agent/long', parts });
  const empty = record({ address: 'agent/bytes', state: new Uint8Array(0) });
  await second.commit(
    group('2', {
      turns: [one, empty].map((of) => turn({ address: of.address, record: of })),
      ids: [keptId({ address: 'agent/long' })],
    }),
  );
  await second.close();
  return file;
}

const COUNTS = { records: 22, texts: 1, rows: 20, ids: 21, steps: 20, letters: 20 };

test('all that is kept is encrypted with one new key, and nothing else is another', async () => {
  const file = await made('all.db', key(1), 2);
  const before = await linesOf(file, key(1));
  expect(await rekeyStoreFile(file, { key: key(2), previous: [key(1)] })).toEqual(COUNTS);
  expect(keysIn(file)).toEqual({ used: Array.from({ length: 6 }, () => [3]), kept: [3] });
  expect(await checkStoreFile(file)).toEqual({ problems: [], counts: COUNTS });
  expect(await linesOf(file, key(2))).toEqual(before);
  const store = await open({ path: file, encryption: { key: key(2) } });
  expect(store.opened).toMatchObject({ uncleanEnds: [], restored: false, firstRow: 21 });
  expect(await store.load(address(3))).toMatchObject({ state: expect.stringContaining(CANARY) });
  await store.close();
});

test('what was plain is encrypted too, and believed no more where it is not', async () => {
  const file = await made('plain.db');
  const before = await linesOf(file);
  expect(readFileSync(file).includes(CANARY)).toBe(true);
  await rekeyStoreFile(file, { key: key(1) });
  expect(readFileSync(file).includes(CANARY)).toBe(false);
  expect(await linesOf(file, key(1))).toEqual(before);
  const db = new DatabaseSync(file, { readOnly: true });
  expect(db.prepare("select value from meta where key = 'sealed'").get()).toEqual({ value: 'true' });
  db.close();
});

test('it is refused while somebody has the store, and where there is none', async () => {
  const file = await made('open.db', key(1));
  const encryption = { key: key(1) };
  const store = await open({ path: file, encryption });
  await expect(rekeyStoreFile(file, encryption)).rejects.toMatchObject({ code: 'STORE_LOCKED' });
  await store.close();
  await expect(rekeyStoreFile(path('none.db'), encryption)).rejects.toMatchObject({
    code: 'STORE_FAILED',
    message: expect.stringContaining('there is no store'),
  });
});

test.each([
  [
    'a damaged record',
    key(1),
    "update records set seq = 9 where address = 'agent/0003'",
    'record agent/0003',
  ],
  ['a damaged text', key(1), "update texts set value = x'00'", 'text ["agent/long"'],
  ['a damaged event', undefined, "update rows set event = '{}' where n = 3", 'row 3 agent/0002'],
])('%s stops it, and the store stays as it is', async (what, by, sql, said) => {
  const file = await made(`${what}.db`, by);
  const db = new DatabaseSync(file);
  db.exec(sql);
  db.close();
  const before = keysIn(file);
  await expect(rekeyStoreFile(file, { key: key(1) })).rejects.toMatchObject({
    code: 'STORE_CORRUPT',
    message: expect.stringContaining(said),
  });
  expect(keysIn(file)).toEqual(before);
  const store = await open({ path: file, ...(by && { encryption: { key: by } }) });
  expect(await store.load(address(4))).toBeDefined();
  await store.close();
});

test('what a process that was killed has left over is removed', async () => {
  const file = await made('killed.db', key(1));
  const left = [`${file}.new-4711`, `${file}.new-4711-journal`];
  const others = [`${file}.new-mine`, `${file}.before-1`];
  for (const name of [...left, ...others]) writeFileSync(name, 'a part of it');
  await rekeyStoreFile(file, { key: key(1) });
  expect([...left, ...others].map((name) => existsSync(name))).toEqual([false, false, true, true]);
});

test('a key that nobody has any more stops the opening, and says what needs it', async () => {
  const file = await made('gone.db', key(1));
  const encryption = { key: key(2) };
  for (const opened of [
    () => open({ path: file, encryption }),
    () => rekeyStoreFile(file, encryption),
    () => exportStoreLines(file, path('gone.jsonl'), encryption),
  ])
    await expect(opened()).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(
        /needs the key [0-9a-f]{12} for .*\(22 records, 1 texts, 20 rows, .* such as of agent\/0000, agent\/0001, agent\/0002\)/,
      ),
    });
  expect(keysIn(file).kept).toEqual([1]);
});
