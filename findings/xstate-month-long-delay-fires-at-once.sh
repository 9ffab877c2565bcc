#!/usr/bin/env bash
# xstate 5.33.3.
# A delay goes to `setTimeout` as it is, and a timer of Node ends after 2^31 - 1 ms (24.8 days) at most: what is longer is 1 ms.
# So an `after` of 30 days is taken at once, and so is an event with such a delay; XState says nothing (Node warns, once).
# Seen: `after: { 2_592_000_000: 'reminded' }` is in `reminded` within 50 ms; one of 24 days is not.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund xstate@5.33.3
cat >program.mjs <<'PROGRAM'
import { setTimeout } from 'node:timers/promises';
import { createActor, createMachine } from 'xstate';

const DAY_MS = 24 * 60 * 60 * 1000;
const reminderIn = (days) =>
  createActor(
    createMachine({ initial: 'waiting', states: { waiting: { after: { [days * DAY_MS]: 'reminded' } }, reminded: {} } }),
  ).start();

const [soon, late] = [reminderIn(24), reminderIn(30)];
await setTimeout(50);
const seen = [soon.getSnapshot().value, late.getSnapshot().value];
console.log(`50 ms later, one of 24 days: ${seen[0]}; one of 30 days: ${seen[1]}`);
process.exit(seen[0] === 'waiting' && seen[1] === 'reminded' ? 0 : 1);
PROGRAM
node program.mjs
