#!/usr/bin/env bash
# xstate 5.33.3, Node 20 and later.
# A machine spawns a child under an id that another child of it still has. There is no error and no warning: the new child
# takes the place in `children`, the older one goes on, and nothing ends it, not even the stop of the parent.
# Seen: see `expected`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund xstate@5.33.3
cat >program.mjs <<'PROGRAM'
import { createActor, fromCallback, setup, spawnChild } from 'xstate';

const alive = new Set();
let started = 0;
const machine = setup({
  actors: {
    worker: fromCallback(() => {
      const number = ++started;
      alive.add(number);
      return () => alive.delete(number);
    }),
  },
}).createMachine({ on: { begin: { actions: spawnChild('worker', { id: 'worker' }) } } });

const actor = createActor(machine).start();
actor.send({ type: 'begin' });
actor.send({ type: 'begin' });
console.log(`children: ${Object.keys(actor.getSnapshot().children)}; alive: ${[...alive]}`);
actor.stop();
console.log(`after stop, alive: ${[...alive]}`);
PROGRAM
expected='children: worker; alive: 1,2
after stop, alive: 1'
seen="$(node program.mjs)"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
