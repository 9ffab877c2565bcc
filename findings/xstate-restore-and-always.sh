#!/usr/bin/env bash
# xstate 5.33.3, Node 20 and later.
# Two things of a restore. A transition `always` whose guard has become true while the machine was away is not taken when
# it starts again, but with the next event, also with one that nothing handles. And an invoked actor that is started again
# gets the input that its first start was given; `input` is not evaluated with the restored context.
# Seen: see `expected`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund xstate@5.33.3
cat >program.mjs <<'PROGRAM'
import { assign, createActor, fromPromise, setup } from 'xstate';

let isOpen = false;
const machine = setup({
  guards: { isOpen: () => isOpen },
  actors: {
    job: fromPromise(({ input }) => {
      console.log(`the job begins with step ${input.step}`);
      return new Promise(() => {});
    }),
  },
}).createMachine({
  context: { step: 1 },
  on: { next: { actions: assign({ step: ({ context }) => context.step + 1 }) } },
  initial: 'waiting',
  states: {
    waiting: {
      invoke: { src: 'job', input: ({ context }) => ({ step: context.step }) },
      always: { guard: 'isOpen', target: 'open' },
    },
    open: {},
  },
});

const first = createActor(machine).start();
first.send({ type: 'next' });
const snapshot = JSON.parse(JSON.stringify(first.getPersistedSnapshot()));
first.stop();
console.log(`persisted with step ${snapshot.context.step}`);
isOpen = true;
const second = createActor(machine, { snapshot }).start();
console.log(`restored: ${second.getSnapshot().value}`);
second.send({ type: 'nobody handles this' });
console.log(`after any event: ${second.getSnapshot().value}`);
PROGRAM
expected='the job begins with step 1
persisted with step 2
the job begins with step 1
restored: waiting
after any event: open'
seen="$(node program.mjs)"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
