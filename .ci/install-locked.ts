import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Installs what the lockfile of a folder has, when it is not there or the lockfile has changed: no dependencies of Holdfast. */
export function installLocked(folder: URL): void {
  const wanted = createHash('sha256')
    .update(readFileSync(new URL('package-lock.json', folder)))
    .digest('hex');
  const stamp = new URL('node_modules/.holdfast-lock', folder);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  const path = fileURLToPath(folder);
  console.error(`installing from ${path}package-lock.json`);
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--prefix', path], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  });
  writeFileSync(stamp, wanted);
}
