import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { shell } from './fixtures/shell.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

async function folder() {
  const cwd = await mkdtemp(join(tmpdir(), 'holdfast-init-'));
  onTestFinished(() => rm(cwd, { recursive: true }));
  return { cwd, run: shell(cwd) };
}

test('a new project is valid and runs', async () => {
  const { cwd, run } = await folder();
  const { code, out } = await run('init desk');
  expect(code).toBe(0);
  expect(out).toContain('+ desk/agents/greeter.ts');
  expect(out.split('Next:\n')[1]).toBe('  cd desk\n  npm install\n  npm start\n');
  const desk = join(cwd, 'desk');
  // In place of npm install.
  await mkdir(join(desk, 'node_modules'));
  await symlink(root, join(desk, 'node_modules', 'holdfast'));
  await symlink(join(root, 'node_modules', 'xstate'), join(desk, 'node_modules', 'xstate'));
  expect((await run('config validate desk/openclaw.json')).out).toBe('desk/openclaw.json: valid\n');
  const { stdout } = await promisify(execFile)(process.execPath, ['-C', 'holdfast-source', 'main.ts'], {
    cwd: desk,
    timeout: 25_000,
  });
  expect(stdout).toBe(
    'Hello Ada, you are number 1 at greeter/front\nHello Grace, you are number 2 at greeter/front\n',
  );
  const { name, dependencies } = JSON.parse(await readFile(join(desk, 'package.json'), 'utf8')) as {
    name: string;
    dependencies: object;
  };
  expect([name, Object.keys(dependencies)]).toEqual(['desk', ['holdfast', 'xstate']]);
});

test('nothing that is there is touched, and all of it is named', async () => {
  const { cwd, run } = await folder();
  await writeFile(join(cwd, 'openclaw.json'), 'mine');
  await writeFile(join(cwd, 'main.ts'), 'mine');
  const { code, err } = await run('init');
  expect([code, err]).toEqual([1, expect.stringContaining('openclaw.json, main.ts are there already')]);
  expect(await readFile(join(cwd, 'openclaw.json'), 'utf8')).toBe('mine');
  await expect(readFile(join(cwd, 'package.json'))).rejects.toMatchObject({ code: 'ENOENT' });
  expect(JSON.parse((await run('init --json')).out)).toMatchObject({
    ok: false,
    there: ['openclaw.json', 'main.ts'],
  });
});

test('a folder whose name is none for npm gives a name that is', async () => {
  const { cwd, run } = await folder();
  expect(JSON.parse((await run('init _My.Desk! --json')).out)).toMatchObject({ ok: true });
  expect(JSON.parse(await readFile(join(cwd, '_My.Desk!', 'package.json'), 'utf8'))).toMatchObject({
    name: 'my.desk',
  });
});
