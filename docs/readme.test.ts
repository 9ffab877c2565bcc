import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../', import.meta.url));
let folder: string;
let readme: string;

/** The code blocks of the README that name their file in the first line. */
function files(): Map<string, string> {
  const blocks = readme.matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g);
  return new Map([...blocks].map(([, name = '', text = '']) => [name, text]));
}

beforeAll(async () => {
  readme = await readFile(join(root, 'README.md'), 'utf8');
  folder = await mkdtemp(join(tmpdir(), 'holdfast-readme-'));
  await mkdir(join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  for (const name of ['xstate', '@types'])
    await symlink(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  await symlink(root, join(folder, 'node_modules', 'holdfast'));
  for (const [name, text] of files()) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test("the README's quick start runs and prints what the README says", async () => {
  const { stdout } = await run(process.execPath, ['-C', 'holdfast-source', 'main.ts'], {
    cwd: folder,
    timeout: 60_000,
  });
  expect(stdout.trim()).toBe('trader/btc says 61000');
  expect(readme).toContain(stdout.trim());
});

test('the quick start is under 20 lines, and each file of it type-checks', async () => {
  expect(files().get('main.ts')?.trim().split('\n').length).toBeLessThan(20);
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: join(root, 'tsconfig.json'),
      compilerOptions: { typeRoots: [join(root, 'node_modules/@types')] },
      include: ['main.ts', 'agents'],
    }),
  );
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { stdout } = await run(process.execPath, [tsc, '-p', folder], { timeout: 60_000 }).catch(
    (error: { stdout: string }) => error,
  );
  expect(stdout).toBe('');
});

test('every file and folder the README links to is there', async () => {
  const links = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map(([, target = '']) => target);
  expect(links.length).toBeGreaterThan(5);
  const found = await Promise.all(links.map((link) => isThere(join(root, link))));
  expect(links.filter((_, n) => !found[n])).toEqual([]);
});

test('the tarball that README, llms.txt and guides install is the one that npm pack writes', async () => {
  const { name, version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
  };
  for (const page of ['README.md', 'llms.txt', 'docs/aws.md']) {
    const text = await readFile(join(root, page), 'utf8');
    const named = [...text.matchAll(/[\w.-]+\.tgz/g)].map(([tarball]) => tarball);
    expect(new Set(named)).toEqual(new Set([`${name}-${version}.tgz`]));
    // Nothing that a registry would have to know.
    expect(text).not.toMatch(/^npm install holdfast\b/m);
  }
});

async function isThere(path: string): Promise<boolean> {
  return readFile(path).then(
    () => true,
    (error: { code?: string }) => error.code === 'EISDIR',
  );
}
