import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The published form is what `npm run build` gives. */
export function build(): void {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  execFileSync(process.execPath, ['scripts/build.ts'], { cwd: root, stdio: 'inherit' });
}
