#!/usr/bin/env bash
# xstate 5.33.3.
# A persisted snapshot has neither the delays that stand nor when they began. A machine that is restored in a state with `after`
# sets no timer, and stays there until something else moves it; an event that it sent itself with a delay never comes.
# Seen: `after: { 20: 'b' }` is persisted in `a` and restored; after 300 ms it is still in `a`. One that was not persisted is in `b`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund xstate@5.33.3
cat >program.mjs <<'PROGRAM'
import { setTimeout } from 'node:timers/promises';
import { createActor, createMachine } from 'xstate';

const machine = createMachine({ initial: 'a', states: { a: { after: { 20: 'b' } }, b: {} } });
const first = createActor(machine).start();
const snapshot = JSON.parse(JSON.stringify(first.getPersistedSnapshot()));
const second = createActor(machine, { snapshot }).start();
await setTimeout(300);
const seen = [first.getSnapshot().value, second.getSnapshot().value];
console.log(`300 ms later, the machine itself: ${seen[0]}; the restored one: ${seen[1]}`);
second.stop();
process.exit(seen[0] === 'b' && seen[1] === 'a' ? 0 : 1);
PROGRAM
node program.mjs
