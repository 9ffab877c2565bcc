import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

test('the smallest program prints what its README shows', async () => {
  const { stdout, stderr } = await run(process.execPath, ['-C', 'holdfast-source', at('main.ts')], {
    timeout: 60_000,
  });
  expect(stderr).toBe('');
  const [, shown] =
    /```sh[\s\S]*?```[\s\S]*?```\n([\s\S]*?)```/.exec(readFileSync(at('README.md'), 'utf8')) ?? [];
  expect(stdout).toBe(shown);
});

test('it has 40 lines at most, the agent and the program together', () => {
  const lines = ['main.ts', 'agents/greeter.ts'].map((file) => readFileSync(at(file), 'utf8').split('\n'));
  expect(lines.flat().length).toBeLessThanOrEqual(40);
});
