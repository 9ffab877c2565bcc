#!/usr/bin/env bash
# xstate 5.33.3.
# An actor that stops has its system look at the delayed events of all its actors, one by one, for those of its own. So the stop
# of one is O(of all delays that stand in the system), its own or not, and the end of a fleet with delays is quadratic.
# Seen: 1,000 actors without any delay, stopped one by one beside 20,000 idle ones: 225 ms. When each of the 20,000 has an `after`
# that stands: 7,155 ms. The script wants five times.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund xstate@5.33.3
cat >program.mjs <<'PROGRAM'
import { createActor, createMachine, spawnChild, stopChild } from 'xstate';

const idle = createMachine({ initial: 'a', states: { a: {} } });
const delayed = createMachine({ initial: 'a', states: { a: { after: { 3_600_000: 'b' } }, b: {} } });

/** Milliseconds to stop 1,000 idle actors beside 20,000 of another machine. */
function stops(other) {
  const some = Array.from({ length: 1000 }, (_, n) => spawnChild(idle, { id: String(n) }));
  const others = createMachine({ entry: Array.from({ length: 20_000 }, () => spawnChild(other)) });
  const fleet = createMachine({
    entry: [spawnChild(others), ...some],
    on: { less: { actions: stopChild(({ event }) => event.id) } },
  });
  const actor = createActor(fleet).start();
  const from = performance.now();
  for (let n = 0; n < 1000; n++) actor.send({ type: 'less', id: String(n) });
  const took = performance.now() - from;
  actor.stop();
  return took;
}
stops(idle);
const without = stops(idle);
const beside = stops(delayed);
console.log(`beside idle actors ${without.toFixed(0)} ms, beside actors with a delay ${beside.toFixed(0)} ms`);
process.exit(beside > 5 * without ? 0 : 1);
PROGRAM
node program.mjs
