// Installs from the lockfile when node_modules is missing or older than the lockfile, so that every documented command
// works alone on a fresh clone; with a folder as its argument, there. Runs on the machine's own Node, before ours is there.
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const named = process.argv[2];
const folder = named ?? root;
const lock = join(folder, 'package-lock.json');
const modules = join(folder, 'node_modules');
const stamp = join(modules, '.holdfast-lock');
const wanted = createHash('sha256').update(readFileSync(lock)).digest('hex');
const installed = existsSync(stamp) && statSync(stamp).isFile() ? readFileSync(stamp, 'utf8') : '';

if (installed !== wanted) {
  if (lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink()) {
    // npm would empty the folder that it leads to, of which somebody else lives.
    console.error(
      `holdfast: ${modules} leads to another folder, whose packages are not those of ${lock}; install there, or take the link away`,
    );
    process.exit(1);
  }
  console.error(`holdfast: installing dependencies from ${relative(root, lock)}`);
  // Within `npm run`, npm would take the folder of the script for its own.
  const where = named === undefined ? [] : ['--prefix', named];
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', ...where], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  });
  writeFileSync(stamp, wanted);
}
