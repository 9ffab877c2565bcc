// Emits dist/: one file of output for each source file, so that `new URL('./worker/entry…')` stays true; the entry of
// threads with all it needs in one file; and the JSON Schema of the config for editors.
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';

const root = new URL('../', import.meta.url);
const run = (...command) => execFileSync(process.execPath, command, { cwd: root, stdio: 'inherit' });

rmSync(new URL('dist', root), { recursive: true, force: true });
run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json');
run('.ci/bundle-worker.mjs');
run('.ci/emit-schema.mjs');
