#!/usr/bin/env bash
# Node 24.21.0 (npm package `node`).
# The compile cache belongs to a thread, not to the process. `NODE_COMPILE_CACHE` in the environment of a process gives its main
# thread a cache; a worker that is started with `env: {}` has none, though it loads the same files. One whose own `env` holds
# the variable has it before its first module is loaded, and `module.enableCompileCache()` in the main thread gives a later
# worker none. So a pool of workers with an environment of their own compiles everything anew for each thread.
# Seen: see `expected`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm pkg set allowScripts.node=true --json
npm install --silent --no-audit --no-fund node@24.21.0
cat >program.mjs <<'PROGRAM'
import { enableCompileCache, getCompileCacheDir } from 'node:module';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

if (isMainThread) {
  if (process.argv[2] === 'enable') enableCompileCache(process.argv[3]);
  const said = (env) =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL(import.meta.url), { env });
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  const cache = process.env.NODE_COMPILE_CACHE ?? process.argv[3];
  console.log(
    `process ${getCompileCacheDir() !== undefined}, worker with an empty env ${await said({})}, with the variable ${await said({ NODE_COMPILE_CACHE: cache })}`,
  );
} else {
  parentPort.postMessage(getCompileCacheDir() !== undefined);
}
PROGRAM
expected='process true, worker with an empty env false, with the variable true
process true, worker with an empty env false, with the variable true'
seen="$(NODE_COMPILE_CACHE="$folder/cache" node_modules/.bin/node program.mjs; node_modules/.bin/node program.mjs enable "$folder/cache")"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
