#!/usr/bin/env bash
# Node 20.20.2 and 24.21.0 (npm package `node`), Linux x64.
# A worker thread has a stack of 4 MB unless `resourceLimits.stackSizeMb` says otherwise, the main thread one of about 1 MB.
# Structured clone writes and reads recursively. So a worker can post a value whose nesting its parent cannot read:
# `postMessage` succeeds, the parent gets 'messageerror' without a word of what was lost, and everything else that was in
# the same message is gone as well. With `stackSizeMb: 1` the worker fails where it happens, in its own `postMessage`.
# Seen: see `expected`. 5,000 levels stand well above what the main thread reads and well below what a worker writes.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm pkg set allowScripts.node=true --json
npm install --silent --no-audit --no-fund node@24.21.0
cat >program.mjs <<'PROGRAM'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

if (isMainThread) {
  for (const stackSizeMb of [undefined, 1]) {
    const resourceLimits = stackSizeMb === undefined ? {} : { stackSizeMb };
    for (const depth of [100, 5000]) {
      const worker = new Worker(new URL(import.meta.url), { workerData: depth, resourceLimits });
      const told = await new Promise((resolve) => {
        worker.on('message', ({ refused }) => resolve(refused ?? 'read by the parent'));
        worker.on('messageerror', (error) => resolve(`messageerror in the parent: ${error.message}`));
      });
      await worker.terminate();
      console.log(`stack ${stackSizeMb ?? 'default'}, ${depth} levels: ${told}`);
    }
  }
} else {
  let value = null;
  for (let i = 0; i < workerData; i++) value = [value];
  try {
    parentPort.postMessage({ value });
  } catch (error) {
    parentPort.postMessage({ refused: `refused in the worker: ${error.message}` });
  }
}
PROGRAM
expected='stack default, 100 levels: read by the parent
stack default, 5000 levels: messageerror in the parent: Maximum call stack size exceeded
stack 1, 100 levels: read by the parent
stack 1, 5000 levels: refused in the worker: Maximum call stack size exceeded'
seen="$(node_modules/.bin/node program.mjs)"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
