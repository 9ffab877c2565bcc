import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { group, one, record, turn, two, written } from '../../testing/durable-store-samples.ts';
import type { CommitGroup, DurableRecord, StateParts } from '../durable-store.ts';
import { checksum, type Column } from '../columns/checksum.ts';
import { RECORD_COLUMNS } from '../columns/forms.ts';
import { checkStoreFile, exportStoreLines } from './store-care.ts';
import { storeFolder } from './fixtures/filled.ts';

const { path, open } = storeFolder();
const mark = (...numbers: number[]): string => `\u0001${numbers.join(',')}\u0001`;

/** A record whose state is in parts. */
function inParts(seq: number, state: string, parts: Partial<StateParts> & { text: string }): DurableRecord {
  return record({ seq, state, parts: { isWhole: false, added: [], removed: [], ...parts } });
}

function textsOf(file: string): unknown[] {
  const db = new DatabaseSync(file, { readOnly: true });
  const rows = db.prepare('select id % 2097152 n, value from texts order by id').all();
  db.close();
  return rows.map(({ n, value }) => [n, value]);
}

test('of a state in parts only what is new is written, and it is loaded whole', async () => {
  const file = path('parts.db');
  const store = await open({ path: file });
  const other = record({
    address: two,
    parts: { text: mark(1), isWhole: true, added: [[1, '"z"']], removed: [] },
  });
  const first = inParts(1, '["a","b"]', {
    text: `[${mark(1)},${mark(2, 3)}]`,
    isWhole: true,
    added: [
      [1, '"a"'],
      [2, '"b'],
      [3, '"'],
    ],
  });
  const steps: [DurableRecord, string, unknown[]][] = [
    [
      first,
      '["a","b"]',
      [
        [1, '"a"'],
        [2, '"b'],
        [3, '"'],
      ],
    ],
    [inParts(2, '-', { text: `[${mark(1)},2]`, removed: [2, 3] }), '["a",2]', [[1, '"a"']]],
    [inParts(3, '-', { text: `[${mark(4)}]`, added: [[4, '"c"']], removed: [1] }), '["c"]', [[4, '"c"']]],
    [inParts(4, '-', { text: `[${mark(1)}]`, isWhole: true, added: [[1, '"d"']] }), '["d"]', [[1, '"d"']]],
    [record({ seq: 5, state: '[]' }), '[]', []],
    [inParts(6, '-', { text: `[${mark(1)}]`, isWhole: true, added: [[1, '"e"']] }), '["e"]', [[1, '"e"']]],
  ];
  await store.commit(group('0', { turns: [turn({ address: two, record: other })] }));
  for (const [i, [of, whole, texts]] of steps.entries()) {
    const after = i === 0 ? undefined : `${i}`;
    const commit = group(`${i + 1}`, { turns: [turn({ after, record: of })] });
    expect(await store.commit(commit)).toEqual(written);
    // It may come again.
    expect(await store.commit(commit)).toEqual(written);
    const { parts: _, ...loaded } = of;
    expect(await store.load(one)).toEqual({ ...loaded, state: whole, commit: `${i + 1}`, at: commit.at });
    expect((await store.records(undefined, 10)).map(({ state }) => state)).toEqual([whole, '"z"']);
    expect(textsOf(file)).toEqual(expect.arrayContaining(texts));
    expect(textsOf(file)).toHaveLength(texts.length + 1);
  }
  await store.commit(group('7', { turns: [turn({ after: '6', end: true })] }));
  expect(textsOf(file)).toEqual([[1, '"z"']]);
  await store.close();
  expect(await checkStoreFile(file)).toMatchObject({ problems: [], counts: { records: 1, texts: 1 } });
});

test('texts that come ahead of their state are nothing of the one before, over a crash and over a state that never comes', async () => {
  const file = path('ahead.db');
  const encryption = { key: new Uint8Array(40).fill(1) };
  let store = await open({ path: file, encryption });
  const ahead = (id: string, after: string | undefined, n: number, address = one): CommitGroup =>
    group(id, { turns: [turn({ address, after, texts: [[n, `"${n}"`]] })] });
  const first = inParts(1, '-', { text: `[${mark(1)}]`, isWhole: true, added: [[1, '"1"']] });
  const none = record({ address: two });
  await store.commit(group('1', { turns: [turn({ record: first }), turn({ address: two, record: none })] }));
  for (const id of ['2', '2', '3']) {
    const commit = ahead(id, '1', Number(id));
    expect(await store.commit(commit)).toEqual(written);
    expect((await store.load(one))?.state).toBe('["1"]');
  }
  // Whoever is behind, and a record that has no texts.
  expect((await store.commit(ahead('4', '0', 4))).fenced).toEqual([one]);
  expect((await store.commit(ahead('5', '1', 5, two))).fenced).toEqual([two]);
  await store.close();
  expect(await checkStoreFile(file)).toMatchObject({ problems: [], counts: { texts: 3 } });
  store = await open({ path: file, encryption });
  expect((await store.load(one))?.state).toBe('["1"]');
  const text = `[${mark(3)},${mark(6)}]`;
  const second = inParts(2, '-', { text, added: [[6, '"6"']], removed: [1] });
  expect(await store.commit(group('6', { turns: [turn({ after: '1', record: second })] }))).toEqual(written);
  expect((await store.load(one))?.state).toBe('["3","6"]');
  const anew = inParts(3, '-', { text: `[${mark(1)}]`, isWhole: true, added: [[1, '"new"']] });
  await store.commit(ahead('7', '6', 7));
  await store.commit(group('8', { turns: [turn({ after: '6', record: anew })] }));
  expect((await store.load(one))?.state).toBe('["new"]');
  expect(textsOf(file)).toHaveLength(1);
  await store.commit(ahead('9', '8', 2));
  await store.commit(group('10', { turns: [turn({ after: '8', end: true })] }));
  expect(textsOf(file)).toEqual([]);
  await store.close();
});

test('a text that is gone or damaged makes its record corrupt, and is found by a check', async () => {
  const file = path('damaged.db');
  const store = await open({ path: file });
  const parts = { isWhole: true, removed: [] };
  const records = [one, two].map((address) =>
    record({ address, parts: { ...parts, text: mark(1), added: [[1, `"${address}"`]] } }),
  );
  const turns = records.map((of) => turn({ address: of.address, record: of }));
  await store.commit(group('1', { turns }));
  await store.close();
  const db = new DatabaseSync(file);
  db.exec(
    `update texts set value = '"other"' where value = '"${one}"'; delete from texts where value = '"${two}"'`,
  );
  db.close();
  const again = await open({ path: file });
  for (const address of [one, two])
    await expect(again.load(address)).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
      message: expect.stringContaining(address),
    });
  await again.close();
  expect((await checkStoreFile(file)).problems).toEqual([expect.stringContaining('texts')]);
});

test('texts are encrypted as states are, and exported with them', async () => {
  const file = path('sealed.db');
  const encryption = { key: new Uint8Array(40).fill(1) };
  const store = await open({ path: file, encryption });
  const parts = { text: `[${mark(1)}]`, isWhole: true, added: [[1, '"CANARY"']] as const, removed: [] };
  await store.commit(group('1', { turns: [turn({ record: record({ parts }) })] }));
  expect((await store.load(one))?.state).toBe('["CANARY"]');
  expect(textsOf(file)).toEqual([[1, expect.any(Uint8Array)]]);
  await store.close();
  expect(readFileSync(file).includes('CANARY')).toBe(false);
  await exportStoreLines(file, path('lines.jsonl'), encryption);
  expect(readFileSync(path('lines.jsonl'), 'utf8')).toMatch(/^\{"table":"records".*CANARY.*\}\n$/u);
});

test.each([
  ['encrypted', { key: new Uint8Array(40).fill(1) }],
  ['plain', undefined],
] as const)(
  'an older text of the same number, or one of another instance, is refused where it is %s',
  async (of, encryption) => {
    const file = path(`older-${of}.db`);
    const options = { path: file, ...(encryption && { encryption }) };
    const store = await open(options);
    const holding = (address: string, seq: number, text: string): DurableRecord =>
      record({
        address,
        seq,
        parts: { text: `[${mark(1)}]`, isWhole: true, added: [[1, text]], removed: [] },
      });
    const change = (sql: string): void => {
      const db = new DatabaseSync(file);
      db.exec(sql);
      db.close();
    };
    const load = async (): Promise<unknown> => {
      const again = await open(options);
      return again.load(one).finally(() => again.close());
    };
    const corrupt = { code: 'STORE_CORRUPT', message: expect.stringContaining(one) };
    const records = [holding(one, 1, '"old"'), holding(two, 1, '"two"')];
    await store.commit(group('1', { turns: records.map((r) => turn({ address: r.address, record: r })) }));
    await store.close();
    change('create table old as select * from texts');
    const next = await open(options);
    // As after a restart: a thread counts anew.
    await next.commit(group('2', { turns: [turn({ after: '1', record: holding(one, 2, '"new"') })] }));
    await next.close();
    expect(await load()).toMatchObject({ state: '["new"]' });
    change('create table new as select * from texts; insert or replace into texts select * from old');
    await expect(load()).rejects.toMatchObject(corrupt);
    // As if it were of the state that is there.
    change("update texts set since = '2'");
    await expect(load()).rejects.toMatchObject(corrupt);
    // Without its texts, a state is not one of its own.
    change('delete from texts; insert into texts select * from new; update records set texts_commit = null');
    await expect(load()).rejects.toMatchObject(corrupt);
  },
);

test('who can make checksums puts no older text, nor one of another instance, in the place of an encrypted one', async () => {
  const file = path('forged.db');
  const options = { path: file, encryption: { key: new Uint8Array(40).fill(1) } };
  const holding = (address: string, seq: number, text: string): DurableRecord =>
    record({ address, seq, parts: { text: mark(1), isWhole: true, added: [[1, text]], removed: [] } });
  const store = await open(options);
  const first = [holding(one, 1, '"old"'), holding(two, 1, '"two"')];
  await store.commit(group('1', { turns: first.map((r) => turn({ address: r.address, record: r })) }));
  const textRows = (): Column[][] => {
    const db = new DatabaseSync(file, { readOnly: true });
    const rows = db.prepare('select id, since, key_id, crc, value from texts order by id').all();
    db.close();
    return rows.map((row) => Object.values(row) as Column[]);
  };
  const [old, other] = textRows() as [Column[], Column[]];
  const second = [holding(one, 2, '"new"'), holding(two, 2, '"2"')];
  await store.commit(
    group('2', { turns: second.map((r) => turn({ address: r.address, after: '1', record: r })) }),
  );
  const [now, others] = textRows() as [Column[], Column[]];
  await store.close();
  const put = (since: string, from: Column[]): void => {
    const db = new DatabaseSync(file);
    const text = [now[0] as Column, since, from[2] as Column];
    const row = [...text, checksum(text, from[4] as Column), from[4] as Column];
    db.prepare('insert or replace into texts(id, since, key_id, crc, value) values(?, ?, ?, ?, ?)').run(
      ...(row as never[]),
    );
    const select = db.prepare(`select ${RECORD_COLUMNS} from records where address = ?`);
    select.setReturnArrays(true);
    const record = select.get(one) as unknown as Column[];
    const small = [...record.slice(0, 10), since, record[11] as Column];
    db.prepare('update records set texts_commit = ?, crc = ? where address = ?').run(
      since,
      checksum(small, ...record.slice(13)),
      one,
    );
    db.close();
  };
  const load = async (): Promise<unknown> => {
    const again = await open(options);
    return again.load(one).finally(() => again.close());
  };
  const corrupt = { code: 'STORE_CORRUPT', message: expect.stringContaining('put there from elsewhere') };
  for (const [since, from] of [
    ['2', old],
    ['2', other],
    ['2', others],
    ['1', old],
  ] as const) {
    put(since, from);
    await expect(load()).rejects.toMatchObject(corrupt);
  }
  put('2', now);
  expect(await load()).toMatchObject({ state: '"new"' });
});
