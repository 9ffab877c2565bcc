#!/usr/bin/env bash
# xstate 5.33.3, Node 20 and later.
# An actor whose action throws goes to `error`. Its invoked callbacks, promises and observables go on: no cleanup function
# is called, no signal is aborted. `actor.stop()` afterwards does nothing, because the actor is not active any more, so
# nobody can end them. A machine that is stopped, or reaches its final state, ends its children.
# Seen: see `expected`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund xstate@5.33.3
cat >program.mjs <<'PROGRAM'
import { createActor, fromCallback, fromPromise, setup } from 'xstate';

const machine = (seen) =>
  setup({
    actors: {
      ticker: fromCallback(() => {
        const timer = setInterval(() => seen.ticks++, 10);
        return () => {
          seen.cleaned++;
          clearInterval(timer);
        };
      }),
      order: fromPromise(({ signal }) => {
        signal.addEventListener('abort', () => seen.aborted++);
        return new Promise(() => {});
      }),
    },
  }).createMachine({
    invoke: [{ src: 'ticker' }, { src: 'order' }],
    on: {
      fail: {
        actions: () => {
          throw new Error('a fault in an action');
        },
      },
    },
  });
const moreTicks = (seen) => {
  const from = seen.ticks;
  return new Promise((resolve) => {
    const until = Date.now() + 2000;
    const look = setInterval(() => {
      if (seen.ticks < from + 5 && Date.now() < until) return;
      clearInterval(look);
      resolve(seen.ticks >= from + 5);
    }, 10);
  });
};

for (const end of ['stop', 'fail, then stop']) {
  const seen = { ticks: 0, cleaned: 0, aborted: 0 };
  const actor = createActor(machine(seen));
  actor.subscribe({ error() {} });
  actor.start();
  if (end !== 'stop') actor.send({ type: 'fail' });
  actor.stop();
  const goesOn = await moreTicks(seen);
  console.log(`${end}: ${actor.getSnapshot().status}, cleaned ${seen.cleaned}, aborted ${seen.aborted}, ticks on: ${goesOn}`);
}
process.exit();
PROGRAM
expected='stop: stopped, cleaned 1, aborted 1, ticks on: false
fail, then stop: error, cleaned 0, aborted 0, ticks on: true'
seen="$(node program.mjs)"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
