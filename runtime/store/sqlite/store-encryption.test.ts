import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { group, keptId } from '../../testing/durable-store-samples.ts';
import { hashOf } from '../kept-id.ts';
import { address, fill, storeFolder } from './fixtures/filled.ts';
import { backupStore, checkStoreFile, exportStoreLines, rekeyStoreFile } from './store-care.ts';

const { path, open } = storeFolder();
const key = (n: number): Uint8Array => new Uint8Array(40).fill(n);
const CANARY = 'canary-8f21';

/** The files of a store as text. */
const textOf = (file: string, ends = ['', '-wal']): string =>
  ends.map((end) => readFileSync(file + end).toString('latin1')).join();

test('neither file, log nor backup has what is kept, and addresses stand in them', async () => {
  const file = path('secret.db');
  const store = await open({ path: file, encryption: { key: key(1) } });
  await fill(store, 20, CANARY);
  await backupStore(file, path('backup.db'));
  for (const text of [textOf(file), textOf(path('backup.db'), [''])]) {
    expect(text).not.toContain(CANARY);
    expect(text).toContain(address(3));
  }
  expect(await store.load(address(3))).toMatchObject({ state: expect.stringContaining(CANARY) });
  expect((await checkStoreFile(file)).problems).toEqual([]);
  expect(await exportStoreLines(file, path('lines.jsonl'), { key: key(1) })).toBe(100);
  expect(readFileSync(path('lines.jsonl'), 'utf8').split(CANARY).length).toBeGreaterThan(100);
  expect(inspect(store, { depth: 9, showHidden: true })).not.toMatch(/01010101|\b1, 1, 1, 1/);
  await store.close();
});

test('a guess at an event cannot be tried by the hash beside its id, which is compared as before, also after a rekey', async () => {
  const file = path('hashes.db');
  const hash = hashOf('{"type":"pay","amount":10}');
  const ids = [
    keptId({ id: 'open', hash, outcome: 'open', value: undefined }),
    keptId({ id: 'done', hash, value: '1' }),
  ];
  const hashes = (): unknown[] => {
    const db = new DatabaseSync(file, { readOnly: true });
    const found = db.prepare('select hash from ids').all();
    db.close();
    return found.map((one) => one['hash']);
  };
  const first = await open({ path: file, encryption: { key: key(1) } });
  await first.commit(group('1', { ids }));
  await first.close();
  const sealed = hashes();
  await rekeyStoreFile(file, { key: key(2), previous: [key(1)] });
  expect(new Set([...sealed, ...hashes()]).size).toBe(4);
  expect([...sealed, ...hashes()]).not.toContain(hash);
  // As it stood in stores of before.
  const db = new DatabaseSync(file);
  const { checksum } = await import('../columns/checksum.ts');
  const row = db.prepare("select * from ids where id = 'open'").get() as Record<string, never>;
  const small = [row['address'], row['caller'], 'open', hash, 'open', row['until'], null];
  db.prepare("update ids set hash = ?, key_id = null, crc = ? where id = 'open'").run(
    hash,
    checksum(small as never, null),
  );
  db.close();
  const second = await open({ path: file, encryption: { key: key(2) } });
  for (const { address: of, caller, id } of ids)
    expect(await second.id(of, caller, id)).toMatchObject({ id, hash });
  await second.close();
  await rekeyStoreFile(file, { key: key(3), previous: [key(2)] });
  expect(hashes()).not.toContain(hash);
});

test('a store is opened with the key that it was made with, and says which that is', async () => {
  const file = path('keys.db');
  await (await open({ path: file, encryption: { key: key(1) } })).close();
  for (const encryption of [undefined, { key: key(2) }]) {
    const error = await open({ path: file, encryption }).catch((failed: Error) => failed);
    expect(error).toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(/needs the key [0-9a-f]{12} for/),
    });
  }
  // An opening that failed is no unclean end.
  const store = await open({ path: file, encryption: { key: key(1) } });
  expect(store.opened.uncleanEnds).toEqual([]);
  await store.close();
});

test('amendment 12: a key that follows another wraps what that has wrapped, and no record is written again', async () => {
  const file = path('rotated.db');
  const first = await open({ path: file, encryption: { key: key(1) } });
  await fill(first, 5, CANARY);
  const before = await first.load(address(0));
  await first.close();
  const columns = (): unknown => {
    const db = new DatabaseSync(file, { readOnly: true });
    const found = db.prepare('select state from records order by address').all();
    db.close();
    return found;
  };
  const sealed = columns();
  await (await open({ path: file, encryption: { key: key(2), previous: [key(1)] } })).close();
  const third = await open({ path: file, encryption: { key: key(2) } });
  expect(await third.load(address(0))).toEqual(before);
  await third.close();
  expect(columns()).toEqual(sealed);
  await expect(open({ path: file, encryption: { key: key(1) } })).rejects.toMatchObject({
    code: 'OPTION_INVALID',
  });
});

test('what is put in the place of another, or in plain text, is not believed', async () => {
  const file = path('moved.db');
  const store = await open({ path: file, encryption: { key: key(1) } });
  await fill(store, 3, CANARY);
  await store.close();
  const { checksum } = await import('../columns/checksum.ts');
  const { RECORD_COLUMNS } = await import('../columns/forms.ts');
  const db = new DatabaseSync(file);
  const select = db.prepare(`select ${RECORD_COLUMNS} from records where address = ?`);
  select.setReturnArrays(true);
  const put = db.prepare(
    `insert or replace into records(${RECORD_COLUMNS}) values(${RECORD_COLUMNS.replaceAll(/\w+/g, '?')})`,
  );
  const change = (at: string, by: (row: never[]) => void): void => {
    const row = select.get(at) as unknown as never[];
    by(row);
    row[12] = checksum(row.slice(0, 12), row[13] as never, row[14] as never) as never;
    put.run(...row);
  };
  const other = select.get(address(1)) as unknown as never[];
  change(address(0), (row) => row.splice(14, 1, other[14] as never));
  change(address(2), (row) => row.splice(11, 4, null as never, 0 as never, '{}' as never, '{}' as never));
  db.close();
  const again = await open({ path: file, encryption: { key: key(1) } });
  await expect(again.load(address(0))).rejects.toMatchObject({
    code: 'STORE_CORRUPT',
    message: expect.stringContaining('put there from elsewhere'),
  });
  expect(await again.load(address(1))).toBeDefined();
  await expect(again.load(address(2))).rejects.toMatchObject({
    code: 'STORE_CORRUPT',
    message: expect.stringContaining('is not encrypted'),
  });
});

test('a store that was plain is encrypted from the opening with a key on, and what was plain stays readable', async () => {
  const file = path('mixed.db');
  const first = await open({ path: file });
  await fill(first, 2);
  await first.close();
  const second = await open({ path: file, encryption: { key: key(1) } });
  expect(await second.load(address(1))).toBeDefined();
  await second.close();
});
