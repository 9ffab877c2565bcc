// Installs Debian's Chromium when there is none, for the tests of pages. Where that is impossible they are skipped, and say so.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const isThere = () => process.env.CHROMIUM !== undefined || places.some((place) => existsSync(place));

function run(...command) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync(command[0], command.slice(1), {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: 300_000,
    env,
  });
}

if (!isThere()) {
  console.error('holdfast: installing chromium for the tests of pages');
  run('apt-get', 'update', '-qq');
  run('apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'chromium');
}
if (!isThere()) console.error('holdfast: NO CHROMIUM, so the tests of pages are skipped');
