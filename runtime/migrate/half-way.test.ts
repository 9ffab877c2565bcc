import { execFile } from 'node:child_process';
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parseDocument } from '../config/document.ts';
import { differences } from './check-result.ts';
import { bytesOf, oldProject } from './fixtures/project.ts';
import { oldAgents } from './old-agents.ts';
import { readOldFiles } from './old-files.ts';
import { recordsIn } from './record.ts';

const first = `{ "agents": { "list": [ { "id": "main" } ] }, "channels": { "irc": { "password": "irc-7Lw2vXp8Zt1Kq" } } }\n`;

/** The name of a file for whose replacement there is no name any more: what is written beside it has 11 characters more. */
const unwritable = `.env.${'x'.repeat(245)}`;

const records = (data: string) => bytesOf(join(data, 'migrations'));

test('a migration that fails half-way leaves every file as it was, and no value anywhere else', async () => {
  const { folder, data, run } = await oldProject({
    'openclaw.json': first,
    [unwritable]: 'A_TOKEN=a-7Lw2vXp8Zt1Kq\n',
  });
  const before = await bytesOf(folder);
  const { code, err } = await run('migrate');
  expect([code, err]).toEqual([
    1,
    expect.stringMatching(/cannot be written.*ENAMETOOLONG.*nothing was changed/),
  ]);
  expect(await bytesOf(folder)).toEqual(before);
  expect(await bytesOf(data)).toEqual({});
  expect((await run('migrate --undo')).out).toBe('There is no migration to undo.\n');
});

test('after one that failed, the undo takes back the one before', async () => {
  const { folder, data, run } = await oldProject({ 'openclaw.json': first });
  const before = await bytesOf(folder);
  expect((await run('migrate')).code).toBe(0);
  const between = Object.keys(await bytesOf(data));
  await writeFile(join(folder, unwritable), 'A_TOKEN=a-7Lw2vXp8Zt1Kq\n');
  expect((await run('migrate')).code).toBe(1);
  expect(Object.keys(await bytesOf(data))).toEqual(between);
  expect((await run('migrate --undo')).out).toContain('Restored: openclaw.json.backup, openclaw.json');
  const { [unwritable]: added, ...restored } = await bytesOf(folder);
  expect([added, restored]).toEqual(['A_TOKEN=a-7Lw2vXp8Zt1Kq\n', before]);
});

test('a file that is as it was before counts as put back', async () => {
  const { folder, data, run } = await oldProject({
    'openclaw.json': first,
    '.env': 'B_TOKEN=b-7Lw2vXp8Zt1Kq\n',
  });
  const before = await bytesOf(folder);
  expect((await run('migrate')).code).toBe(0);
  // As after the end of the process before `.env` and the config were written.
  for (const [name, text] of Object.entries(before)) await writeFile(join(folder, name), text, 'latin1');
  expect((await run('migrate --undo')).out).toMatch(/^Restored: openclaw\.json\.backup\./);
  expect([await bytesOf(folder), await records(data)]).toEqual([before, {}]);
});

test('what was removed since is put back as well', async () => {
  const { folder, run } = await oldProject({ 'openclaw.json': first, 'openclaw.json.bak': first });
  const before = await bytesOf(folder);
  expect((await run('migrate')).code).toBe(0);
  for (const name of Object.keys(await bytesOf(folder))) await rm(join(folder, name));
  expect((await run('migrate --undo')).out).toContain('Restored: openclaw.json.bak, openclaw.json');
  expect(await bytesOf(folder)).toEqual(before);
});

test('a record of which nothing was written is passed over, and one that is not whole is removed', async () => {
  const { folder, data, run } = await oldProject({ 'openclaw.json': first });
  const before = await bytesOf(folder);
  expect((await run('migrate')).code).toBe(0);
  const [project = ''] = await readdir(join(data, 'migrations'));
  const all = join(data, 'migrations', project, 'openclaw.json');
  const [record = ''] = await recordsIn(all);
  // As after the end of a process before it had changed anything: once behind its record, and once on the way to it.
  const manifest = { version: 1, at: '', files: [{ file: join(folder, 'not-written'), written: '' }] };
  await mkdir(join(all, '9999'));
  await writeFile(join(all, '9999', 'manifest.json'), JSON.stringify(manifest));
  await mkdir(join(all, '9999.partial'));
  await writeFile(join(all, '9999.partial', '0'), first);
  expect((await run('migrate --undo')).out).toContain('Restored: openclaw.json.backup, openclaw.json');
  expect(await bytesOf(folder)).toEqual(before);
  expect([await recordsIn(all), record]).toEqual([[], expect.stringContaining(all)]);
  expect((await run('migrate')).code).toBe(0);
  expect(await readdir(all)).toEqual([expect.stringMatching(/Z$/)]);
});

test('what others may use is not changed: a link that leads out of the folder', async () => {
  const { folder, run, read } = await oldProject({
    'openclaw.json': first,
    '../shared.env': 'D_TOKEN=d-7Lw2vXp8Zt1Kq\n',
  });
  await symlink(join(folder, '..', 'shared.env'), join(folder, '.env'));
  const { code, out } = await run('migrate');
  expect([code, out]).toEqual([0, expect.stringContaining('a link to a file elsewhere')]);
  expect(await read('../shared.env')).toBe('D_TOKEN=d-7Lw2vXp8Zt1Kq\n');
});

test('a file that is no UTF-8 stays byte for byte', async () => {
  const { folder, run } = await oldProject({ 'openclaw.json': first });
  await writeFile(join(folder, '.env'), Buffer.from('NAME=M\xfcller\nE_TOKEN=e-7Lw2vXp8Zt1Kq\n', 'latin1'));
  const { code, out } = await run('migrate');
  expect([code, out]).toEqual([0, expect.stringContaining('look into .env yourself: not UTF-8')]);
  expect((await bytesOf(folder))['.env']).toBe('NAME=M\xfcller\nE_TOKEN=e-7Lw2vXp8Zt1Kq\n');
});

test('a new config that is not what was printed is told apart from it, though it is valid', async () => {
  const { folder } = await oldProject({
    'openclaw.json': `{ agents: { list: [{ id: 'a' }, { id: 'b' }] } }`,
  });
  const old = await readOldFiles(join(folder, 'openclaw.json'));
  const expected = {
    agents: oldAgents(old.root),
    grants: new Map([['b', { key: { ref: 'x', mode: 'inject' } as const }]]),
  };
  const agent = (threadId: string, more = '') =>
    `{ type: 'thread-bound', threadId: '${threadId}', maxThreads: 1${more} }`;
  const compared = (text: string) =>
    differences({ root: parseDocument(text).value, findings: [] }, expected, old).map(({ path }) => path[1]);
  expect(compared(`{ agents: { a: ${agent('a')}, b: ${agent('b', ', secrets: { key: {} }')} } }`)).toEqual(
    [],
  );
  expect(compared(`{ agents: { a: ${agent('x')}, b: ${agent('x', ', secrets: { key: {} }')} } }`)).toEqual([
    'a',
    'b',
  ]);
  expect(compared(`{ agents: { a: ${agent('a')}, c: ${agent('c')} } }`)).toEqual(['b', 'c']);
  expect(compared(`{ agents: { a: ${agent('a')}, b: ${agent('b')} } }`)).toEqual(['b']);
});

const run = promisify(execFile);
const canMount = await run('unshare', ['-rm', 'mount', '--bind', '/tmp', '/tmp']).then(
  () => true,
  () => false,
);

describe.skipIf(!canMount)('in a mount', () => {
  const main = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
  /** Runs shell commands in a mount namespace of their own; `holdfast` is the command. */
  async function mounted(folder: string, data: string, script: string): Promise<string> {
    const holdfast = `holdfast() { "${process.execPath}" -C holdfast-source "${main}" "$@" 2>&1; echo "exit $?"; }`;
    const { stdout } = await run('unshare', ['-rm', 'sh', '-c', `${holdfast}\ncd "${folder}"\n${script}`], {
      env: { ...process.env, XDG_DATA_HOME: join(data, '..') },
      timeout: 60_000,
    });
    return stdout;
  }

  test('of one file, as containers have it, the file is written in place, and the undo too', async () => {
    const { folder, data, read } = await oldProject({ 'openclaw.json': first, '../host.json': first });
    const out = await mounted(
      folder,
      data,
      'mount --bind ../host.json openclaw.json; holdfast migrate; cp ../host.json ../after.json; holdfast migrate --undo',
    );
    expect(out).toContain('Written in place, since the file cannot be replaced by a rename: openclaw.json\n');
    expect(out.match(/^exit 0$/gm)).toHaveLength(2);
    expect(out).toContain('Restored: openclaw.json.backup, openclaw.json');
    expect(await read('../after.json')).toContain('"thread-bound"');
    expect(await bytesOf(folder)).toEqual({ 'openclaw.json': first });
    expect([await read('../host.json'), await records(data)]).toEqual([first, {}]);
  });

  test('that is read-only nothing is changed, and it is told in words', async () => {
    const { folder, data, run: ran } = await oldProject({ 'openclaw.json': first });
    const out = await mounted(
      folder,
      data,
      `mount --bind "${folder}" "${folder}"; mount -o remount,ro,bind "${folder}"; cd "${folder}"; holdfast migrate; holdfast migrate --undo`,
    );
    expect(out).toMatch(/cannot be written: its file system is read-only .*nothing was changed\nexit 1\n/);
    expect(out).toContain('There is no migration to undo.\nexit 0\n');
    expect([await bytesOf(folder), await bytesOf(data)]).toEqual([{ 'openclaw.json': first }, {}]);
    expect((await ran('migrate')).code).toBe(0);
    expect((await ran('migrate --undo')).code).toBe(0);
    expect(await bytesOf(folder)).toEqual({ 'openclaw.json': first });
  });
});
