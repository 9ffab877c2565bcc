import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Runs the code of docs/frameworks.md whose framework is no dependency of this repository: it is installed into a folder of its own,
 * with what it needs, and goes with it. Needs the network.
 */
const FRAMEWORKS = ['@mastra/core@1.71.0'];

const root = fileURLToPath(new URL('../', import.meta.url));
const page = readFileSync(join(root, 'docs/frameworks.md'), 'utf8');
// Inside the package, whose own name and packages the code finds.
const folder = mkdtempSync(join(root, 'docs/.example-'));
try {
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  const install = ['install', '--no-audit', '--no-fund', '--no-package-lock', ...FRAMEWORKS];
  execFileSync('npm', install, { cwd: folder, stdio: 'inherit', shell: process.platform === 'win32' });
  rmSync(join(folder, 'package.json'));
  for (const [, name = '', text = ''] of page.matchAll(/^```typescript (\S+)\n([\s\S]*?)^```$/gm)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const wanted = /^```text\n([\s\S]*?)^```$/m.exec(page)?.[1];
  const args = ['-C', 'holdfast-source', join(folder, 'total.ts')];
  const printed = execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8', timeout: 120_000 });
  process.stdout.write(printed);
  if (printed !== wanted) throw new Error(`docs/frameworks.md says that it prints:\n${wanted}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
