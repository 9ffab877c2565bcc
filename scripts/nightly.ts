// What takes too long for every change. The properties at length: 2,000 generated state charts, 1,000 generated runs of each
// other property; half an hour or more; what fails prints its seed, and HOLDFAST_SEED replays it. The walks over the
// machines of pools, supervisor and threads whole, everything that a thread may say malformed, the soak, the trading desk that
// is killed, and nodes of a cluster that are killed and cut from each other. And whether docs/api is what the doc comments say; it is written anew.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const root = new URL('../', import.meta.url);

/** The texts of docs/api by their names. */
function reference(): string {
  const folder = new URL('docs/api/', root);
  const pages = readdirSync(folder).toSorted();
  return JSON.stringify(pages.map((page) => [page, readFileSync(new URL(page, folder), 'utf8')]));
}

/** Runs Node in the folder of the project; whether it succeeded. */
function succeeds(...command: string[]): boolean {
  const env = { HOLDFAST_RUNS: '1000', HOLDFAST_CHARTS: '2000', ...process.env };
  return spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit', env }).status === 0;
}

const before = reference();
let passed = succeeds('scripts/api-reference/generate.ts');
if (passed && reference() !== before) {
  console.error(
    'docs/api was not what the doc comments say; it is now: look at the difference and commit it',
  );
  passed = false;
}
const longer = [
  'props',
  'paths',
  'malformed',
  'mutations',
  'scrub-stream',
  'unescape',
  'passivation-counts',
  'rotation-under-load',
  'kept-desk',
  'examples/cluster',
  'effect-faults',
  'front-life',
  'gateway-run',
];
const vitest = ['node_modules/vitest/vitest.mjs', 'run', ...longer, '--testTimeout=3600000'];
if (!succeeds(...vitest, ...process.argv.slice(2))) passed = false;
process.exitCode = passed ? 0 : 1;
