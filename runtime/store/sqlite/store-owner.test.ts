import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { group, one, record, turn } from '../../testing/durable-store-samples.ts';
import { storeFolder } from './fixtures/filled.ts';
import { openableStore } from './sqlite-store.ts';
import { remoteSystem } from './store-place.ts';

const { path, open } = storeFolder();
const program = fileURLToPath(new URL('fixtures/committing.ts', import.meta.url));

test('a second process is refused while the first has the store open, hears who has it, and has it when that is killed', async () => {
  const file = path('process.db');
  const child = spawn(process.execPath, ['-C', 'holdfast-source', program, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  child.stdout.resume();
  await expect(open({ path: file })).rejects.toMatchObject({
    code: 'STORE_LOCKED',
    message: expect.stringContaining(`(pid ${child.pid})`),
  });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
  const store = await open({ path: file });
  expect(store.opened.uncleanEnds).toEqual([0]);
  expect((await store.records(undefined, 10)).length).toBeGreaterThan(0);
  await store.close();
});

test('two stores of one process cannot have one file, whatever name they give it', async () => {
  const file = path('twice.db');
  await open({ path: file });
  await expect(open({ path: `${path('.')}/./twice.db` })).rejects.toMatchObject({
    code: 'STORE_LOCKED',
    message: expect.stringContaining('open already, by this process'),
  });
});

test('a store is opened once, and may be opened again when it is closed', async () => {
  const store = openableStore({ path: path('again.db') });
  const context = { now: () => 1, warn() {} };
  const { epoch } = await store.open(context);
  await expect(store.open(context)).rejects.toMatchObject({ code: 'STORE_FAILED' });
  await store.close();
  expect((await store.open(context)).epoch).toBe(epoch + 1);
  await store.close();
});

test('a store that is closed holds nothing of whoever had it open', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heard = async (): Promise<WeakRef<object>> => {
    const warn = (): void => {};
    const store = openableStore({ path: path('left.db') });
    await store.open({ now: () => 1, warn });
    await store.commit(group('1', { turns: [turn({ record: record() })] }));
    await store.close();
    return new WeakRef(warn);
  };
  const held = await heard();
  const isThere = (): boolean => {
    collect();
    return held.deref() !== undefined;
  };
  // A call may take 30 s, and that is not waited for.
  await expect.poll(isThere, { timeout: 10_000 }).toBe(false);
});

test.skipIf(process.platform === 'win32')('files and folder are for their user alone', async () => {
  const store = await open({ path: path('new/folder/private.db') });
  await store.commit(group('1', { turns: [turn({ record: record() })] }));
  const mode = (name: string): string => (statSync(path(name)).mode & 0o777).toString(8);
  expect(mode('new/folder')).toBe('700');
  for (const end of ['', '-wal', '-shm']) expect(mode(`new/folder/private.db${end}`)).toBe('600');
  expect(store.warnings).toEqual([]);
  await store.close();
  chmodSync(path('new/folder/private.db'), 0o644);
  const again = await open({ path: path('new/folder/private.db') });
  expect(again.warnings).toEqual([expect.stringContaining('open to others')]);
});

test('what is no store is not opened, and nothing begins anew in its place', async () => {
  const refuse = async (name: string, code: string, message: string): Promise<void> =>
    expect(open({ path: path(name) })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  writeFileSync(path('empty.db'), '');
  await refuse('empty.db', 'STORE_CORRUPT', 'is an empty file');
  writeFileSync(path('text.db'), 'x'.repeat(10_000));
  await refuse('text.db', 'STORE_CORRUPT', 'holdfast store restore');
  new DatabaseSync(path('other.db')).exec('create table t(a)');
  await refuse('other.db', 'STORE_CORRUPT', 'not a store of Holdfast');
  writeFileSync(path('lost.db-wal'), 'x');
  await refuse('lost.db', 'STORE_CORRUPT', 'is gone, and its log');
  mkdirSync(path('folder.db'));
  await refuse('folder.db', 'STORE_FAILED', 'cannot be opened');
  writeFileSync(path('file'), 'x');
  await refuse('file/store.db', 'STORE_FAILED', 'file/store.db');
});

test('amendment 24: a store of a later form is not opened, and not changed', async () => {
  const store = await open({ path: path('later.db') });
  await store.commit(group('1', { turns: [turn({ record: record() })] }));
  await store.close();
  const db = new DatabaseSync(path('later.db'));
  db.exec('pragma user_version = 2');
  db.close();
  await expect(open({ path: path('later.db') })).rejects.toMatchObject({ code: 'STORE_TOO_NEW' });
  const same = new DatabaseSync(path('later.db'));
  same.exec('pragma user_version = 1');
  same.close();
  const again = await open({ path: path('later.db') });
  expect([again.opened.epoch, (await again.load(one))?.commit]).toEqual([2, '1']);
});

test('file systems of other machines are known by their type', () => {
  expect(remoteSystem(0x6969, 'linux')).toBe('NFS');
  // As Node gives a type that is large, on 32 bits.
  expect(remoteSystem(0xff534d42 | 0, 'linux')).toBe('CIFS');
  expect(remoteSystem(0xef53, 'linux')).toBeUndefined();
  expect(remoteSystem(0x6969, 'darwin')).toBeUndefined();
});

test('options are checked before anything is opened', () => {
  const wrong = [
    {},
    { path: '' },
    { path: 'x', fsync: 'never' },
    { path: 'x', maxBytes: 5 },
    { path: 'x', encryption: { key: new Uint8Array(31) } },
  ];
  for (const options of wrong)
    expect(() => openableStore(options as never)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
});

test('importing Holdfast, or making a store, loads no SQLite', () => {
  const store = new URL('sqlite-store.ts', import.meta.url).href;
  const code = `await import('holdfast'); const { sqliteStore } = await import(${JSON.stringify(store)});
    sqliteStore({ path: 'x' }); console.log(process.moduleLoadList.filter((name) => name.includes('sqlite')).length);`;
  const printed = execFileSync(
    process.execPath,
    ['-C', 'holdfast-source', '--input-type=module', '-e', code],
    {
      cwd: fileURLToPath(new URL('../../../', import.meta.url)),
      encoding: 'utf8',
    },
  );
  expect(printed.trim()).toBe('0');
});
