import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The published form is what `npm run build` gives. */
export function build(): void {
  const root = fileURLToPath(new URL('../', import.meta.url));
  execFileSync(process.execPath, ['.ci/build.mjs'], { cwd: root, stdio: 'inherit' });
}
