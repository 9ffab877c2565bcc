// Runs the suite on every Node line we support: npm run test:matrix [-- 22 26] [-- vitest arguments]
import { execFileSync, spawnSync } from 'node:child_process';
import { binary, lines, root } from './node-lines.ts';

const wanted = process.argv.slice(2).filter((argument) => lines.has(argument));
const passedOn = process.argv.slice(2).filter((argument) => !lines.has(argument));

let failed = false;
for (const line of wanted.length > 0 ? wanted : lines.keys()) {
  const node = binary(line);
  console.log(`\n=== Node ${execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()}`);
  const { status } = spawnSync(node, ['node_modules/vitest/vitest.mjs', 'run', ...passedOn], {
    cwd: root,
    stdio: 'inherit',
  });
  console.log(`=== Node ${line}: ${status === 0 ? 'passed' : 'FAILED'}`);
  failed ||= status !== 0;
}
process.exit(failed ? 1 : 0);
