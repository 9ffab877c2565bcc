import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { blocks, exampleFolder } from './examples.fixture.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../', import.meta.url));
const page = readFileSync(join(root, 'docs/testing.md'), 'utf8');

/** The tests of the guide that need its agent. */
const tests = ['trader.test.ts', 'restart.test.ts'];

/** The example of the guide in a folder of its own. */
async function example(): Promise<string> {
  const folder = await exampleFolder();
  for (const [info, text] of blocks(page)) {
    const [, name] = /^ts (\S+\.ts)$/.exec(info) ?? [];
    if (name === undefined) continue;
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

test.each(['0', '1'])('the tests of the guide pass with HOLDFAST_TEST_THREADS=%s', async (threads) => {
  const folder = await example();
  const { stdout } = await run(
    process.execPath,
    ['-C', 'holdfast-source', '--test', '--test-reporter=tap', ...tests.map((name) => join(folder, name))],
    { cwd: root, timeout: 110_000, env: { ...process.env, HOLDFAST_TEST_THREADS: threads } },
  );
  expect(stdout).toMatch(/^# tests 7$/m);
  expect(stdout).toMatch(/^# pass 7$/m);
});
