// Emits dist/: the declarations of each source file; the entry of threads and `holdfast/agent` with all they need in one file
// each; what programs import in a few files that they share; and the JSON Schema of the config for editors.
import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, rmSync } from 'node:fs';

const root = new URL('../', import.meta.url);
const run = (...command: string[]): Buffer =>
  execFileSync(process.execPath, command, { cwd: root, stdio: 'inherit' });

rmSync(new URL('dist', root), { recursive: true, force: true });
run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json');
// The inspector's page, which runs in browsers.
const page = 'runtime/inspect/local/page';
run('node_modules/typescript/bin/tsc', '-p', page, '--noEmit', 'false');
for (const file of readdirSync(new URL(page, root)).filter((name) => /\.(html|css|svg)$/.test(name)))
  cpSync(new URL(`${page}/${file}`, root), new URL(`dist/${page}/${file}`, root));
run('scripts/bundle-worker.ts');
run('scripts/emit-schema.ts');
run('scripts/bundle-host.ts');
