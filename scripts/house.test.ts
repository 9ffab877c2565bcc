import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished, expect, test } from 'vitest';

const script = fileURLToPath(new URL('house.ts', import.meta.url));

interface Printed {
  readonly code: unknown;
  readonly text: string;
}

function house(...args: readonly string[]): Promise<Printed> {
  return new Promise((resolve) => {
    execFile(process.execPath, [script, ...args], { timeout: 60_000 }, (error, stdout) => {
      resolve({ code: error === null ? 0 : error.code, text: stdout });
    });
  });
}

async function tree(files: Readonly<Record<string, string>>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'holdfast-house-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  for (const [file, text] of Object.entries({ 'runtime/index.ts': '', ...files })) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), text);
  }
  return root;
}

test('nothing in this house leads back up, and no files import each other in a circle', async () => {
  const { code, text } = await house();
  expect(text.split('\n', 1)[0]).toMatch(
    /^\d+ rooms on \d+ floors, \d+ arrows, 0 of them back up, 0 circles of files$/,
  );
  expect(code).toBe(0);
});

test('a room stands one floor above the highest that it imports', async () => {
  const root = await tree({
    'runtime/base/errors.ts': '/** Not an import:\n * import { x } from "../store/store.ts" */\nexport {};\n',
    'runtime/store/store.ts': "import type { E } from '../base/errors.ts';\n",
    'runtime/system/system.ts':
      "import {\n  type S,\n} from '../store/store.ts';\nexport const load = () => import('../base/errors.ts');\n",
  });
  expect(await house(root)).toEqual({
    code: 0,
    text: `4 rooms on 3 floors, 3 arrows, 0 of them back up, 0 circles of files

floor 2
  runtime/system (1 file): base 1, store 1

floor 1
  runtime/store (1 file): base 1

floor 0
  runtime/base (1 file)
  runtime/index.ts (1 file)
`,
  });
});

test('rooms that know each other, and files that do, are told and fail, also for types alone', async () => {
  const root = await tree({
    'runtime/store/a.ts': "import type { B } from './b.ts';\n",
    'runtime/store/b.ts': "import type { A } from './a.ts';\nimport type { S } from '../system/system.ts';\n",
    'runtime/system/system.ts': "import { a } from '../store/a.ts';\nexport { b } from '../store/b.ts';\n",
  });
  const { code, text } = await house(root);
  expect(code).toBe(1);
  expect(text).toContain('3 rooms on 2 floors, 2 arrows, 1 of them back up, 1 circles of files');
  expect(text).toMatch(
    /^back up\n {2}runtime\/store -> runtime\/system\n {4}runtime\/store\/b\.ts imports runtime\/system/m,
  );
  expect(text).toContain('\n  runtime/store/a.ts runtime/store/b.ts runtime/system/system.ts\n');
});

test('tests and fixtures are left out unless they are asked for', async () => {
  const root = await tree({
    'runtime/base/errors.test.ts': "import { a } from './fixtures/a.ts';\n",
    'runtime/base/fixtures/a.ts': "import { b } from './b.ts';\n",
    'runtime/base/fixtures/b.ts': "import { a } from './a.ts';\n",
  });
  expect(await house(root)).toMatchObject({ code: 0 });
  const { code, text } = await house('--tests', root);
  expect(code).toBe(1);
  expect(text).toContain('\n  runtime/base/fixtures/a.ts runtime/base/fixtures/b.ts\n');
});

test('a folder that is no project is not taken for a house without faults', async () => {
  expect(await house(tmpdir())).toMatchObject({ code: 1, text: '' });
});
