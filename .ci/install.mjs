// Installs from the lockfile when node_modules is missing or older than the lockfile, so that every
// documented command works alone on a fresh clone. Runs on the machine's own Node, before ours is there.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';

const root = new URL('../', import.meta.url);
const lock = new URL('package-lock.json', root);
const stamp = new URL('node_modules/.holdfast-lock', root);
const wanted = createHash('sha256').update(readFileSync(lock)).digest('hex');
const installed = existsSync(stamp) && statSync(stamp).isFile() ? readFileSync(stamp, 'utf8') : '';

if (installed !== wanted) {
  console.error('holdfast: installing dependencies from package-lock.json');
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  });
  writeFileSync(stamp, wanted);
}
