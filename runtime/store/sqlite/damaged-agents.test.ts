import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRuntime, type AgentRef, type Runtime } from 'holdfast';
import { fixture, start } from '../../fixtures/start.ts';
import { PAGE_BYTES } from './schema.ts';
import { sqliteStore } from './sqlite-store.ts';
import {
  backupStore,
  checkStoreFile,
  compactStore,
  forgetInStore,
  rekeyStoreFile,
  resumeStore,
} from './store-care.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-damage-'));
const good = join(folder, 'good.db');
/** As a process leaves it that is killed: what was committed stands in the log. */
const killed = join(folder, 'killed.db');
const encryption = { key: Buffer.from('a key of at least thirty-two bytes, for a test') };
const sealed = join(folder, 'sealed.db');
const HOUR_MS = 3_600_000;
const config = { agents: { account: fixture('account', { supervision: { timers: 'deadline' } }) } } as const;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Accounts in a store: `a` has something of everything, `b` and `c` a deposit. */
beforeAll(async () => {
  const encrypted = sqliteStore({ path: sealed, fsync: 'os', encryption });
  await (await createRuntime(config, { logger: silent, store: encrypted })).stop();
  const store = sqliteStore({ path: good, fsync: 'os' });
  const runtime = await createRuntime(config, { logger: silent, store });
  for (const id of ['b', 'c'])
    await (await runtime.spawn('account', { id })).ask({ type: 'deposit', amount: 5 });
  const ref = await runtime.spawn('account', { id: 'a' });
  await ref.ask({ type: 'deposit', amount: 41 }, { id: 'an id' });
  await ref.deliver({ type: 'note', note: 'a note of it' });
  await ref.enqueue({ type: 'deposit', amount: 7 }, { at: Date.now() + HOUR_MS });
  await letterOf(runtime, ref);
  await ref.deliver({ type: 'remind', afterMs: HOUR_MS });
  for (const end of ['', '-wal']) copyFileSync(good + end, killed + end);
  await runtime.stop();
});

/** An event that was kept, and whose turn failed. What is not due yet is in the store before its turn. */
async function letterOf(runtime: Runtime<typeof config>, ref: AgentRef): Promise<void> {
  const letter = new Promise((resolve) => runtime.on('dead-letter', resolve));
  await ref.enqueue({ type: 'overdraw', amount: 666 }, { at: Date.now() + 100 });
  await letter;
  await ref.ask({ type: 'total' });
}

/**
 * A copy of a store with one bit turned over where the text stands in that table, index or log, and what a check says of it.
 * Where that is nothing, it was a place that is free by now, and the next one is taken.
 */
async function flipped(
  from: string,
  where: string,
  text: string,
): Promise<{ readonly path: string; readonly problems: readonly string[] }> {
  const path = join(folder, `${where}-${Math.random()}.db`);
  for (const end of ['', '-wal']) if (existsSync(from + end)) copyFileSync(from + end, path + end);
  const file = where === 'log' ? `${path}-wal` : path;
  const good = readFileSync(file);
  const pages = where === 'log' ? [good] : pagesOf(from, where).map((page) => pageOf(good, page));
  for (const page of pages) {
    for (let at = page.indexOf(text); at >= 0; at = page.indexOf(text, at + 1)) {
      const bytes = Buffer.from(good);
      bytes[page.byteOffset - good.byteOffset + at + text.length - 1]! ^= 1;
      writeFileSync(file, bytes);
      const { problems } = await checkStoreFile(path);
      if (problems.length > 0) return { path, problems };
    }
  }
  throw new Error(`nobody misses "${text}" in ${where}`);
}

function pageOf(bytes: Buffer, page: number): Buffer {
  return bytes.subarray((page - 1) * PAGE_BYTES, page * PAGE_BYTES);
}

function pagesOf(path: string, name: string): number[] {
  const db = new DatabaseSync(path, { readOnly: true });
  const pages = db.prepare('select pageno from dbstat where name = ?').all(name);
  db.close();
  return pages.map(({ pageno }) => pageno as number);
}

/** The name of the key that wraps the keys of the encrypted store. */
function wrapper(): string {
  const db = new DatabaseSync(sealed, { readOnly: true });
  const found = db.prepare('select wrapper from keys').get();
  db.close();
  return found?.['wrapper'] as string;
}

const open = (path: string): Promise<Runtime<typeof config>> =>
  start(config, { store: sqliteStore({ path, fsync: 'os' }) });

/** The others go on, and what they do is committed. */
async function expectOthers(runtime: Runtime<typeof config>): Promise<void> {
  for (const id of ['b', 'c']) {
    const ref = await runtime.getOrSpawn('account', id);
    expect(await ref.ask({ type: 'deposit', amount: 1 })).toBe(6);
  }
  expect(runtime.status().store?.state).toBe('ok');
}

test.each([
  ['a state', 'records', 'a note of it'],
  ['what is kept beside a state', 'records', '{}'],
  ['an event', 'rows', '"amount":7'],
  ['the index by which its events are found', 'rows_address', 'account/a'],
])('a bit that flips in %s quarantines its instance, and nobody else', async (_what, table, text) => {
  const { path, problems } = await flipped(good, table, text);
  expect(problems).toContainEqual(expect.stringContaining(table.startsWith('rows') ? 'rows' : `${table}: `));
  const runtime = await open(path);
  await expect(runtime.getOrSpawn('account', 'a')).rejects.toMatchObject({
    code: 'AGENT_QUARANTINED',
    cause: { code: 'STORE_CORRUPT' },
  });
  await expectOthers(runtime);
});

test('a bit that flips in what is kept of an id makes an error for who asks again, and for nobody else', async () => {
  const { path, problems } = await flipped(good, 'ids', '41');
  expect(problems).toEqual([expect.stringContaining('ids: ')]);
  const runtime = await open(path);
  const ref = await runtime.getOrSpawn('account', 'a');
  await expect(ref.ask({ type: 'deposit', amount: 41 }, { id: 'an id' })).rejects.toMatchObject({
    code: 'STORE_CORRUPT',
  });
  expect(await ref.ask({ type: 'total' })).toBe(41);
  await expectOthers(runtime);
});

test('a bit that flips in a dead letter leaves a letter without its event', async () => {
  const { path, problems } = await flipped(good, 'letters', '"amount":666');
  expect(problems).toEqual([expect.stringContaining('letters: ')]);
  const runtime = await open(path);
  const [letter] = runtime.deadLetters.list();
  expect(letter).toMatchObject({ address: 'account/a', truncated: true, event: undefined });
  await expectOthers(runtime);
});

test.each([
  ['records_due', 'account/a'],
  ['rows_address', 'account/a'],
  ['rows_later', 'account/a'],
  ['letters_age', 'row-'],
])('a bit that flips in the index %s is told by a check, and hurts nobody else', async (index, text) => {
  const { path, problems } = await flipped(good, index, text);
  expect(problems).toContainEqual(expect.stringContaining('pages: '));
  await expectOthers(await open(path));
});

test('a bit that flips in the index of addresses lets nobody begin anew whose record it hides', async () => {
  const { path } = await flipped(good, 'sqlite_autoindex_records_1', 'account/a');
  const runtime = await open(path);
  await expect(runtime.spawn('account', { id: 'a' })).rejects.toMatchObject({
    code: 'AGENT_QUARANTINED',
    cause: { code: 'STORE_CORRUPT', message: expect.stringContaining('holdfast store check') as string },
  });
  await expectOthers(runtime);
});

test.each([
  ['what it says of itself', 'meta', 'epoch', {}],
  ['one of its keys', 'keys', '', { encryption }],
  ['its log', 'log', 'a note of it', {}],
])('a bit that flips in %s stops the start, which says what to do', async (_what, where, text, more) => {
  const from = where === 'keys' ? sealed : where === 'log' ? killed : good;
  const { path, problems } = await flipped(from, where, text === '' ? wrapper() : text);
  expect(problems).toContainEqual(expect.stringContaining(`${where}: `));
  await expect(
    createRuntime(config, { logger: silent, store: sqliteStore({ path, ...more }) }),
  ).rejects.toMatchObject({
    code: 'STORE_CORRUPT',
    message: expect.stringContaining('holdfast store restore') as string,
  });
});

test.each([
  ['resumes', (path: string) => resumeStore(path)],
  ['forgets in', (path: string) => forgetInStore(path, 'account/b')],
  ['compacts', (path: string) => compactStore(path)],
  ['encrypts', (path: string) => rekeyStoreFile(path, encryption)],
  ['copies', (path: string) => backupStore(path, `${path}.copy`)],
])('whoever %s a store whose log is damaged changes nothing, and is told', async (_what, command) => {
  const { path } = await flipped(killed, 'log', 'a note of it');
  const files = () =>
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString('base64')]);
  const before = files().filter(([name]) => !name?.endsWith('-shm'));
  await expect(command(path)).rejects.toMatchObject({
    code: 'STORE_CORRUPT',
    message: expect.stringContaining('commits that came after it would be lost') as string,
  });
  expect(files().filter(([name]) => !name?.endsWith('-shm'))).toEqual(before);
});

test('a log that is cut off within its last commit is whole up to there', async () => {
  const path = join(folder, 'cut.db');
  for (const end of ['', '-wal']) copyFileSync(killed + end, path + end);
  const log = readFileSync(`${path}-wal`);
  writeFileSync(`${path}-wal`, log.subarray(0, -100));
  const runtime = await open(path);
  expect(await (await runtime.getOrSpawn('account', 'a')).ask({ type: 'total' })).toBe(41);
  await expectOthers(runtime);
});
