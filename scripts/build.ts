// Emits dist/: the declarations of each source file; the entry of threads and `holdfast/agent` with all they need in one file
// each; what programs import in a few files that they share; the licences of what stands in them of others; and the JSON Schema
// of the config for editors.
import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

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
// What lays out its charts, as its makers built it, with its licence and where its source is.
const elk = new URL('node_modules/elkjs/', root);
const { version } = JSON.parse(readFileSync(new URL('package.json', elk), 'utf8')) as { version: string };
cpSync(new URL('lib/elk-worker.min.js', elk), new URL(`dist/${page}/elk-worker.js`, root));
writeFileSync(
  new URL(`dist/${page}/elk-worker.LICENSE.md`, root),
  `elk-worker.js is lib/elk-worker.min.js of elkjs ${version}, unchanged, under the Eclipse Public License 2.0 below. Its source code is
available under the same licence: release ${version} of https://github.com/kieler/elkjs, which is made from https://github.com/eclipse-elk/elk.

${readFileSync(new URL('LICENSE.md', elk), 'utf8')}`,
);
run('scripts/bundle-worker.ts');
run('scripts/emit-schema.ts');
run('scripts/bundle-host.ts');
run('scripts/third-party-licences.ts');
