// The properties at length: 2,000 generated state charts, 1,000 generated runs of each other property. Half an hour or
// more; what fails prints its seed, and HOLDFAST_SEED replays it.
import { spawnSync } from 'node:child_process';

const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', 'props', '--testTimeout=3600000', ...process.argv.slice(2)],
  {
    cwd: new URL('../', import.meta.url),
    stdio: 'inherit',
    env: { HOLDFAST_RUNS: '1000', HOLDFAST_CHARTS: '2000', ...process.env },
  },
);
process.exitCode = status ?? 1;
