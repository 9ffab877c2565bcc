#!/usr/bin/env bash
# xstate 5.33.3.
# An event with a `delay` may have an `id`, for `cancel(id)`. A second one with the id of one that still waits does not take its
# place: both come. `cancel` reaches the newer of the two; the older comes all the same. And once the older has come, the newer
# can no longer be cancelled either.
# Seen, with a delay of 100 ms: set at 0 and 50 ms, both come. Set at 0 and 50 ms and cancelled at 60 ms, the first comes. Set at 0
# and 50 ms and cancelled at 110 ms, both come.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund xstate@5.33.3
cat >program.mjs <<'PROGRAM'
import { cancel, createActor, createMachine, raise, SimulatedClock } from 'xstate';

/** Which of two reminders of one id come: set at 0 and 50 ms, and cancelled then. */
function coming(cancelledAt) {
  const clock = new SimulatedClock();
  const seen = [];
  const machine = createMachine({
    on: {
      SET: {
        actions: raise(({ event }) => ({ type: 'DUE', which: event.which }), { delay: 100, id: 'reminder' }),
      },
      CANCEL: { actions: cancel('reminder') },
      DUE: { actions: ({ event }) => seen.push(event.which) },
    },
  });
  const actor = createActor(machine, { clock }).start();
  actor.send({ type: 'SET', which: 'first' });
  clock.increment(50);
  actor.send({ type: 'SET', which: 'second' });
  if (cancelledAt !== undefined) {
    clock.increment(cancelledAt - 50);
    actor.send({ type: 'CANCEL' });
  }
  clock.increment(1000);
  actor.stop();
  return seen.join();
}

const seen = { never: coming(undefined), 'at 60 ms': coming(60), 'at 110 ms': coming(110) };
console.log(seen);
const isSo =
  seen.never === 'first,second' && seen['at 60 ms'] === 'first' && seen['at 110 ms'] === 'first,second';
process.exit(isSo ? 0 : 1);
PROGRAM
node program.mjs
