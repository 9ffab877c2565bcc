import { closeSync, copyFileSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { beforeAll, expect, test } from 'vitest';
import { group, keptId, record, row, turn } from '../../testing/durable-store-samples.ts';
import { AddressIndex } from './address-index.ts';
import type { DurableStore, TurnCommit } from '../durable-store.ts';
import { address, fill, storeFolder } from './fixtures/filled.ts';
import { PAGE_BYTES } from './schema.ts';
import { checkStoreFile } from './store-care.ts';

const { path, open } = storeFolder();
const COUNT = 200;
const good = path('good.db');
let all: Awaited<ReturnType<typeof readAll>>;

/** What kind of page of SQLite it is. */
const kinds = new Map([
  [0x0d, 'rows'],
  [0x05, 'inner rows'],
  [0x0a, 'keys'],
  [0x02, 'inner keys'],
]);

beforeAll(async () => {
  const store = await open({ path: good });
  await fill(store, COUNT);
  all = await readAll(store);
  await store.close();
});

/** Everything by its key, or the code of the error that it gives. */
async function readAll(store: DurableStore): Promise<Map<string, unknown>> {
  const found = new Map<string, unknown>();
  const read = async (what: string, call: Promise<unknown>): Promise<void> => {
    found.set(what, await call.catch((error: { code: unknown }) => error.code));
  };
  for (let i = 0; i < COUNT; i++) {
    await read(`record ${i}`, store.load(address(i)));
    await read(`rows ${i}`, store.rows(address(i), -1, 10));
    await read(`steps ${i}`, store.steps(address(i)));
    await read(`id ${i}`, store.id(address(i), 'host', 'a'));
  }
  await read('letters', store.letters(undefined, 1000));
  return found;
}

/** The numbers of the pages of a file by their kinds. */
function pagesOf(bytes: Uint8Array): Map<string, number[]> {
  const pages = new Map<string, number[]>();
  for (let page = 1; page < bytes.length / PAGE_BYTES; page++) {
    const kind = kinds.get(bytes[page * PAGE_BYTES] ?? 0) ?? 'overflow';
    pages.set(kind, [...(pages.get(kind) ?? []), page]);
  }
  return pages;
}

/** The page of rows with that text. */
function pageWith(bytes: Buffer, text: string): number {
  const pages = pagesOf(bytes).get('rows') as number[];
  return pages.find((one) =>
    bytes.subarray(one * PAGE_BYTES, (one + 1) * PAGE_BYTES).includes(text),
  ) as number;
}

function damaged(name: string, change: (bytes: Buffer) => void): string {
  const file = path(name);
  for (const end of ['-wal', '-shm']) rmSync(file + end, { force: true });
  const bytes = readFileSync(good);
  change(bytes);
  writeFileSync(file, bytes);
  return file;
}

test('there is a page of each kind', () => {
  const found = [...pagesOf(readFileSync(good)).keys()];
  expect(found.toSorted()).toEqual(['inner keys', 'inner rows', 'keys', 'overflow', 'rows']);
});

test.each(['rows', 'inner rows', 'keys', 'inner keys', 'overflow'])(
  'a bit that flips in a page of %s gives no wrong value: an error, or something that is not found and that a check tells',
  async (kind) => {
    const pages = pagesOf(readFileSync(good)).get(kind) ?? [];
    expect(pages.length).toBeGreaterThan(0);
    // In its head, in its list of cells, and in the cells.
    for (const [i, offset] of [9, 60, PAGE_BYTES - 40].entries()) {
      const page = pages[(i * 7) % pages.length] as number;
      const file = damaged('flipped.db', (bytes) => (bytes[page * PAGE_BYTES + offset]! ^= 1 << (i + 1)));
      const { problems } = await checkStoreFile(file);
      expect.soft(await wrongIn(file, problems), `byte ${offset} of page ${page}`).toEqual([]);
    }
  },
);

/** What a damaged store does that it must not: gives a value that was not written, or keeps still. */
async function wrongIn(file: string, problems: readonly string[]): Promise<unknown[]> {
  const store = await open({ path: file }).catch((error: { code: unknown }) => error.code);
  if (typeof store !== 'object')
    return store === 'STORE_CORRUPT' && problems.length > 0 ? [] : [store, problems];
  const found = await readAll(store as DurableStore);
  await (store as DurableStore).close();
  const other = [...found].filter(
    ([what, value]) => value !== 'STORE_CORRUPT' && JSON.stringify(value) !== JSON.stringify(all.get(what)),
  );
  const isAbsent = (value: unknown): boolean => value === undefined || (value as unknown[]).length === 0;
  return other.filter(([, value]) => !isAbsent(value) || problems.length === 0);
}

test('a page of zeros in a state is found where it is read', async () => {
  const page = pagesOf(readFileSync(good)).get('overflow')?.[2] as number;
  const file = damaged('zeroed.db', (bytes) => bytes.fill(0, page * PAGE_BYTES + 4, (page + 1) * PAGE_BYTES));
  const { problems } = await checkStoreFile(file);
  expect(problems).toEqual([
    expect.stringMatching(/^records: what was written of "agent\/\d+" .*is damaged$/),
  ]);
  const store = await open({ path: file });
  const found = [...(await readAll(store))].filter(([, value]) => value === 'STORE_CORRUPT');
  expect(found).toHaveLength(1);
  await store.close();
});

test('a page that is damaged stops those who need it, and nobody else of the group', async () => {
  const page = pageWith(readFileSync(good), '{"n":50,');
  const file = damaged('apart.db', (all) => all.fill(0, page * PAGE_BYTES, (page + 1) * PAGE_BYTES));
  const store = await open({ path: file });
  const turns = Array.from({ length: COUNT }, (_, i) =>
    turn({ address: address(i), after: 'fill', record: record({ address: address(i), seq: 2 }) }),
  );
  const { damaged: left = [], ...rest } = await store.commit(group('next', { turns }));
  expect(rest).toEqual({ fenced: [], unknown: [] });
  expect(left).toContain(address(50));
  expect(left.length).toBeLessThan(COUNT / 4);
  for (let i = 0; i < COUNT; i++) {
    const loaded = await store.load(address(i)).catch((error: { code: unknown }) => error);
    const expected = left.includes(address(i)) ? { code: 'STORE_CORRUPT' } : { commit: 'next' };
    expect(loaded).toMatchObject(expected);
  }
  await store.close();
});

function outcomeOf(db: DatabaseSync, table: 'records' | 'rows', absent: string): unknown {
  try {
    new AddressIndex(db, table).assertNoMore(absent);
    return 'absent';
  } catch (error) {
    return (error as { code: unknown }).code;
  }
}

test.each([
  ['records', 'sqlite_autoindex_records_1'],
  ['rows', 'rows_address'],
] as const)(
  'a bit that flips in the index of %s by address hides none in silence, whichever bit it is',
  (table, name) => {
    const bytes = readFileSync(good);
    const whole = new DatabaseSync(good, { readOnly: true });
    const index = whole.prepare('select pageno from dbstat where name = ?').all(name);
    for (const absent of ['', 'agent/', 'agent/0077 ', 'z'])
      new AddressIndex(whole, table).assertNoMore(absent);
    whole.close();
    const path = damaged(`hidden-${table}.db`, () => {});
    const file = openSync(path, 'r+');
    const outcomes: unknown[] = [];
    const strangers = new Set<unknown>();
    for (const i of [0, 77]) {
      const [at] = index.flatMap(({ pageno }) => {
        const from = ((pageno as number) - 1) * PAGE_BYTES;
        const offset = bytes.subarray(from, from + PAGE_BYTES).indexOf(address(i));
        return offset < 0 ? [] : [from + offset];
      }) as [number];
      for (let bit = 0; bit < address(i).length * 8; bit++) {
        const place = at + (bit >> 3);
        writeSync(file, Uint8Array.of((bytes[place] as number) ^ (1 << (bit & 7))), 0, 1, place);
        const db = new DatabaseSync(path, { readOnly: true });
        const isFound = db.prepare(`select 1 from ${table} where address = ?`).get(address(i)) !== undefined;
        outcomes.push(isFound ? 'found' : outcomeOf(db, table, address(i)));
        // Whoever is far away is not led astray by it.
        strangers.add(outcomeOf(db, table, address(50)));
        db.close();
        writeSync(file, bytes, place, 1, place);
      }
    }
    closeSync(file);
    expect(outcomes.filter((outcome) => outcome === 'STORE_CORRUPT').length).toBeGreaterThan(100);
    expect(outcomes).not.toContain('absent');
    expect([...strangers]).toEqual(['absent']);
  },
);

test('what there is no room for is told also where the group meets a damaged page', async () => {
  const file = path('crowded.db');
  copyFileSync(good, file);
  const before = await open({ path: file });
  const filler = record({ address: 'agent/filler', state: 'x'.repeat(1_000_000) });
  await before.commit(group('filler', { turns: [turn({ address: 'agent/filler', record: filler })] }));
  await before.close();
  const bytes = readFileSync(file);
  const page = pageWith(bytes, '{"n":50,');
  writeFileSync(file, bytes.fill(0, page * PAGE_BYTES, (page + 1) * PAGE_BYTES));
  const store = await open({ path: file, maxBytes: Math.ceil(bytes.length / 0.95) });
  const turnOf = (of: string, after?: string): TurnCommit =>
    turn({ address: of, after, record: record({ address: of, seq: 2 }) });
  const turns = [turnOf(address(50), 'fill'), turnOf('agent/new'), turnOf(address(3), 'fill')];
  const rows = [row(9001, { to: address(3), id: 'late', caller: 'host' })];
  const ids = [keptId({ address: address(3), id: 'late' })];
  expect(await store.commit(group('next', { turns, rows, ids }))).toEqual({
    fenced: [],
    unknown: [],
    damaged: [address(50)],
    refused: { addresses: ['agent/new'], rows: [9001] },
  });
  expect(await store.load(address(3))).toMatchObject({ commit: 'next' });
  expect(await store.id(address(3), 'host', 'late')).toBeUndefined();
  await store.close();
});

test.each([
  ['a head of zeros', (file: string) => writeFileSync(file, readFileSync(good).fill(0, 0, 100))],
  ['half of the file', (file: string) => writeFileSync(file, readFileSync(good).subarray(0, PAGE_BYTES * 3))],
])('%s is no store', async (_what, change) => {
  const file = path('broken.db');
  copyFileSync(good, file);
  change(file);
  await expect(open({ path: file })).rejects.toMatchObject({
    code: 'STORE_CORRUPT',
    message: expect.stringContaining('holdfast store restore'),
  });
});
