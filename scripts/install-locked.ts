import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const install = fileURLToPath(new URL('../.ci/install.mjs', import.meta.url));

/** Installs what the lockfile of a folder has, when it is not there or the lockfile has changed: no dependencies of Holdfast. */
export function installLocked(folder: URL): void {
  execFileSync(process.execPath, [install, fileURLToPath(folder)], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}
