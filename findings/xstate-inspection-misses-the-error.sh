#!/usr/bin/env bash
# xstate 5.33.3.
# An actor whose transition throws has the status `error`, and its observers are told. Whoever inspects the system is not: there is
# no `@xstate.snapshot` for that event, so the last one that an inspector has says `active`.
# Seen: the inspection ends with the event (and its action, for a machine); `getSnapshot().status` is `error`, the last status
# inspected `active`. A promise that rejects is inspected, as `error`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund xstate@5.33.3
cat >program.mjs <<'PROGRAM'
import { setImmediate } from 'node:timers/promises';
import { createActor, createMachine, fromPromise, fromTransition } from 'xstate';

const fails = () => {
  throw new Error('the transition fails');
};
const kinds = {
  machine: createMachine({ on: { go: { actions: fails } } }),
  transition: fromTransition((state, event) => (event.type === 'go' ? fails() : state), {}),
  promise: fromPromise(async () => fails()),
};
const seen = {};
for (const [kind, logic] of Object.entries(kinds)) {
  let inspected;
  const actor = createActor(logic, {
    inspect(said) {
      if (said.type === '@xstate.snapshot') inspected = said.snapshot.status;
    },
  });
  actor.subscribe({ error() {} });
  actor.start();
  actor.send({ type: 'go' });
  await setImmediate();
  seen[kind] = `${actor.getSnapshot().status}, inspected ${inspected}`;
}
console.log(seen);
const missed = 'error, inspected active';
const isSo = seen.machine === missed && seen.transition === missed && seen.promise === 'error, inspected error';
process.exit(isSo ? 0 : 1);
PROGRAM
node program.mjs
