// Runs the suite on every Node line we support: npm run test:matrix [-- 22 26] [-- vitest arguments]
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const lines = { 22: '22.23.3', 24: '24.21.0', 26: '26.10.0' };
const wanted = process.argv.slice(2).filter((argument) => argument in lines);
const passedOn = process.argv.slice(2).filter((argument) => !(argument in lines));

let failed = false;
for (const line of wanted.length > 0 ? wanted : Object.keys(lines)) {
  const node = binary(lines[line]);
  console.log(`\n=== Node ${execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()}`);
  const { status } = spawnSync(node, ['node_modules/vitest/vitest.mjs', 'run', ...passedOn], {
    cwd: root,
    stdio: 'inherit',
  });
  console.log(`=== Node ${line}: ${status === 0 ? 'passed' : 'FAILED'}`);
  failed ||= status !== 0;
}
process.exit(failed ? 1 : 0);

/** The npm package `node` of that version, installed once under node_modules/.cache. */
function binary(version) {
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
