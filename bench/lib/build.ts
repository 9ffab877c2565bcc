import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../../', import.meta.url);

/** The published form is what `npm run build` gives. A commit that the working tree is compared with was built before. */
export function build(): void {
  if (existsSync(new URL('.holdfast-built', root))) return;
  execFileSync(process.execPath, ['scripts/build.ts'], { cwd: fileURLToPath(root), stdio: 'inherit' });
}
