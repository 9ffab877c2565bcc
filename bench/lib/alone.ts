import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** From source, types are stripped when a thread loads a file; the published package is plain JavaScript. */
export const SOURCE = ['-C', 'holdfast-source'];

/** What a file of `bench/alone/` prints in a process of its own: nothing is loaded, and no memory was had and kept. */
export async function alone(
  file: string,
  args: readonly (string | number)[],
  flags: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const path = fileURLToPath(new URL(`../alone/${file}.mjs`, import.meta.url));
  const all = ['--expose-gc', ...flags, path, ...args.map(String)];
  const { stdout } = await run(process.execPath, all, { timeout: 180_000, env: { ...process.env, ...env } });
  return JSON.parse(stdout);
}
