#!/usr/bin/env bash
# xstate 5.33.3, Node 20 and later.
# `getPersistedSnapshot()` copies a context without remembering what it has copied. An object that is reached by several
# paths is read once for each path, 2^n times for n layers that each hold the next one twice, and a list of messages that
# are quoted by later ones soon costs seconds. `structuredClone` reads each object once. When nothing in it is an actor,
# the copy that took so long is thrown away: the persisted context is the context itself.
# Seen: see `expected`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund xstate@5.33.3
cat >program.mjs <<'PROGRAM'
import { createActor, createMachine } from 'xstate';

for (const layers of [4, 8, 12]) {
  let reads = 0;
  let value = Object.defineProperty({}, 'leaf', { enumerable: true, get: () => ++reads });
  for (let i = 0; i < layers; i++) value = { left: value, right: value };
  const context = { value };
  const actor = createActor(createMachine({ context })).start();
  reads = 0;
  structuredClone(context);
  const cloning = reads;
  reads = 0;
  actor.getPersistedSnapshot();
  console.log(`${layers} layers: structuredClone reads the leaf ${cloning} time, getPersistedSnapshot ${reads} times`);
}
PROGRAM
expected='4 layers: structuredClone reads the leaf 1 time, getPersistedSnapshot 16 times
8 layers: structuredClone reads the leaf 1 time, getPersistedSnapshot 256 times
12 layers: structuredClone reads the leaf 1 time, getPersistedSnapshot 4096 times'
seen="$(node program.mjs)"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
