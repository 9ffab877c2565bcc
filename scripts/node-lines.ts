// The Node lines we support, each fetched once as the npm package `node`.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../', import.meta.url));
export const lines: ReadonlyMap<string, string> = new Map([
  ['22', '22.23.3'],
  ['24', '24.21.0'],
  ['26', '26.10.0'],
]);

/** The npm package `node` of that line, installed once under node_modules/.cache. */
export function binary(line: string): string {
  const version = lines.get(line);
  if (version === undefined) throw new Error(`no Node line ${line}`);
  const home = `${root}node_modules/.cache/node-${version}`;
  const node = `${home}/node_modules/node/bin/node`;
  if (!existsSync(node)) {
    mkdirSync(home, { recursive: true });
    writeFileSync(
      `${home}/package.json`,
      JSON.stringify({ private: true, dependencies: { node: version }, allowScripts: { node: true } }),
    );
    execFileSync('npm', ['install', '--no-audit', '--no-fund'], {
      cwd: home,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  return node;
}
