// Installs Debian's Chromium when there is none, for the tests of pages. Where that is impossible they are skipped, and say so.
import { existsSync } from 'node:fs';
import { installPackages } from './debian.mjs';

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const isThere = () => process.env.CHROMIUM !== undefined || places.some((place) => existsSync(place));

if (!isThere()) {
  console.error('holdfast: installing chromium for the tests of pages');
  installPackages('chromium');
}
if (!isThere()) console.error('holdfast: NO CHROMIUM, so the tests of pages are skipped');
