import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { dataFolder } from './data-folder.ts';
import { keepValues, withdrawValues } from './value-store.ts';

async function store(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-kept-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return join(folder, 'secrets');
}

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

test('each value gets a file that only this user can read, in a folder that only this user can enter', async () => {
  const root = await store();
  const values = [
    { id: 'openclaw/models/apiKey', value: 'sk-one' },
    { id: 'openclaw/token', value: 'ends with a newline\n' },
  ];
  expect(await keepValues(root, values)).toEqual(['openclaw/models/apiKey', 'openclaw/token']);
  expect(await readFile(join(root, 'openclaw/models/apiKey'), 'utf8')).toBe('sk-one');
  expect(await modeOf(join(root, 'openclaw/models/apiKey'))).toBe(0o600);
  expect(await modeOf(join(root, 'openclaw/models'))).toBe(0o700);
  expect(await modeOf(root)).toBe(0o700);
});

test('the same value again is kept once, and another one of that name beside it', async () => {
  const root = await store();
  const twice = [
    { id: 'token', value: 'one' },
    { id: 'token', value: 'two' },
  ];
  expect(await keepValues(root, twice)).toEqual(['token', 'token-2']);
  expect(await keepValues(root, twice)).toEqual(['token', 'token-2']);
  expect(await readdir(root)).toEqual(['token', 'token-2']);
  expect(await readFile(join(root, 'token'), 'utf8')).toBe('one');
});

test('a value that others could read is not safe, and the error does not show it', async () => {
  const root = await store();
  await keepValues(root, [{ id: 'token', value: 'canary-kept-value' }]);
  await chmod(join(root, 'token'), 0o644);
  const kept = keepValues(root, [{ id: 'token', value: 'canary-kept-value' }]);
  await expect(kept).rejects.toMatchObject({ name: 'ProviderError', failure: 'denied' });
  await expect(kept).rejects.not.toThrow('canary-kept-value');
});

test('a name that leads out of the store is refused before anything is written', async () => {
  const root = await store();
  await writeFile(join(root, '..', 'outside'), 'untouched');
  const kept = keepValues(root, [
    { id: 'fine', value: 'one' },
    { id: '../outside-too', value: 'two' },
  ]);
  await expect(kept).rejects.toMatchObject({ name: 'ProviderError', failure: 'invalid' });
  expect(await readdir(join(root, '..'))).toEqual(['outside']);
});

test('values lie in the data folder of the user, wherever that is', () => {
  expect(dataFolder({ XDG_DATA_HOME: '/data' })).toBe('/data/holdfast');
  const usual = join(homedir(), '.local/share/holdfast');
  expect(dataFolder({ XDG_DATA_HOME: 'not/absolute' })).toBe(usual);
  expect(dataFolder({})).toBe(usual);
});

test('values that were kept for nothing go, and what was there before stays', async () => {
  const root = await store();
  await keepValues(root, [{ id: 'chat/before', value: 'one' }]);
  const created: string[] = [];
  const values = [
    { id: 'chat/before', value: 'one' },
    { id: 'chat/a/token', value: 'two' },
    { id: 'models/key', value: 'three' },
  ];
  await keepValues(root, values, (id) => created.push(id));
  expect(created).toEqual(['chat/a/token', 'models/key']);
  await withdrawValues(root, created);
  expect(await readdir(root, { recursive: true })).toEqual(['chat', 'chat/before']);
});
