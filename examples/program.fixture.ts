import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Runs the program of an example from its source, and resolves with what it printed. `example`: the URL of its folder. */
export function runExample(example: URL, timeout = 60_000): Promise<{ stdout: string; stderr: string }> {
  const main = fileURLToPath(new URL('main.ts', example));
  return promisify(execFile)(process.execPath, ['-C', 'holdfast-source', main], {
    timeout,
    env: { ...process.env, NO_COLOR: '1' },
  });
}

/** What the README of an example shows that its program prints: the block after that with the command. */
export function shownOutput(example: URL): string | undefined {
  const readme = readFileSync(new URL('README.md', example), 'utf8');
  return /```sh[\s\S]*?```[\s\S]*?```\n([\s\S]*?)```/.exec(readme)?.[1];
}
