import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { exampleFolder } from '../../docs/examples.fixture.ts';
import { startModelServer } from '../../examples/support-desk/model-server.ts';
import { shell } from './fixtures/shell.ts';
import { packageSource } from './package-source.ts';

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
  const clone = relative(join(cwd, 'desk'), root);
  expect(out.split('Next:\n')[1]).toBe(`  cd desk\n  npm pack ${clone}\n  npm install\n  npm start\n`);
  const desk = join(cwd, 'desk');
  // In place of npm install.
  await mkdir(join(desk, 'node_modules'));
  await symlink(root, join(desk, 'node_modules', 'holdfast'));
  await symlink(join(root, 'node_modules', 'xstate'), join(desk, 'node_modules', 'xstate'));
  expect((await run('config validate desk/openclaw.json')).out).toBe('desk/openclaw.json: valid\n');
  const { stdout } = await promisify(execFile)(process.execPath, ['-C', 'holdfast-source', 'main.ts'], {
    cwd: desk,
    timeout: 60_000,
  });
  expect(stdout).toBe(
    'Hello Ada, you are number 1 at greeter/front\nHello Grace, you are number 2 at greeter/front\n',
  );
  const manifest = JSON.parse(await readFile(join(desk, 'package.json'), 'utf8')) as Manifest;
  const own = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Manifest & {
    version: string;
  };
  expect(manifest.name).toBe('desk');
  // What npm pack writes: nothing that a registry would have to know.
  expect(manifest.dependencies).toEqual({
    holdfast: `file:holdfast-${own.version}.tgz`,
    xstate: expect.any(String) as string,
  });
  const guide = await readFile(join(root, 'docs/first-agent.md'), 'utf8');
  expect(guide).toContain(
    `\`\`\`json tsconfig.json\n${await readFile(join(desk, 'tsconfig.json'), 'utf8')}\`\`\``,
  );
  // The compiler that this package is checked with, and no other major one.
  expect(manifest.devDependencies['typescript']).toBe(`^${own.devDependencies['typescript']}`);
});

test('a new project for a model streams its answer, with a key that stays in the host', async () => {
  const key = 'CANARY-93ce-key-of-the-model';
  const model = await startModelServer({ keys: [key] });
  onTestFinished(() => model.close());
  // Within the package, whose packages it finds in place of npm install.
  const cwd = await exampleFolder();
  expect((await shell(cwd)('init desk --template llm')).code).toBe(0);
  const desk = join(cwd, 'desk');
  await mkdir(join(desk, 'node_modules'));
  await symlink(root, join(desk, 'node_modules', 'holdfast'));
  for (const [file, real, local] of [
    ['agents/writer.ts', 'https://api.openai.com', model.url],
    ['openclaw.json', "'api.openai.com'", `'${model.url}'`],
  ] as const) {
    const text = await readFile(join(desk, file), 'utf8');
    expect(text.split(real)).toHaveLength(2);
    await writeFile(join(desk, file), text.replace(real, local));
  }
  const { scripts, dependencies } = JSON.parse(
    await readFile(join(desk, 'package.json'), 'utf8'),
  ) as Manifest & { scripts: { start: string } };
  const [, ...args] = scripts.start.split(' ');
  const start = (): Promise<{ stdout: string }> =>
    promisify(execFile)(process.execPath, ['-C', 'holdfast-source', ...args, 'say that it hums'], {
      cwd: desk,
      timeout: 60_000,
    });
  await expect(start()).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('.env') as string });
  await writeFile(join(desk, '.env'), `OPENAI_API_KEY=${key}\n`);
  expect((await start()).stdout).toBe('that it hums\n');
  expect(model.requests).toMatchObject([{ status: 200, headers: { authorization: `Bearer ${key}` } }]);
  // What this package is tested with, and no other major one.
  const own = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Manifest;
  for (const name of ['ai', '@ai-sdk/openai-compatible'])
    expect(dependencies[name]).toBe(`^${own.devDependencies[name]}`);
});

interface Manifest {
  readonly name: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

test.each([
  ['a registry', { lock: { resolved: 'https://registry.invalid/holdfast.tgz' } }, '^'],
  ['a tarball', { lock: { resolved: 'file:../holdfast-0.1.0.tgz' } }, 'file:'],
  ['a linked folder', { lock: { resolved: '../holdfast', link: true } }, 'file:'],
  ['a registry, by another package manager', { range: '^0.1.0' }, '^'],
  ['a tarball, by another package manager', { range: 'file:../holdfast-0.1.0.tgz' }, 'file:'],
  ['a store of pnpm', { pnpm: 'holdfast@0.1.0_xstate@5.33.3' }, '^'],
  ['a store of pnpm, from a tarball', { pnpm: 'holdfast@file+holdfast-0.1.0.tgz' }, 'file:'],
])('a package that came from %s is where a new project has it from', async (_from, found, expected) => {
  const { lock, range, pnpm } = found as { lock?: object; range?: string; pnpm?: string };
  const { cwd } = await folder();
  const modules = join(cwd, ...(pnpm === undefined ? [] : ['node_modules', '.pnpm', pnpm]), 'node_modules');
  await mkdir(join(modules, 'holdfast'), { recursive: true });
  if (lock !== undefined)
    await writeFile(
      join(modules, '.package-lock.json'),
      JSON.stringify({ packages: { 'node_modules/holdfast': lock } }),
    );
  if (range !== undefined)
    await writeFile(join(cwd, 'package.json'), JSON.stringify({ dependencies: { holdfast: range } }));
  const source = packageSource(join(modules, 'holdfast'));
  expect(source.range.startsWith(expected)).toBe(true);
  expect(source.before(() => './there')).toBe(
    expected === '^' ? undefined : 'npm pack --ignore-scripts ./there',
  );
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
