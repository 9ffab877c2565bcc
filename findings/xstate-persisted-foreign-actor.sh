#!/usr/bin/env bash
# xstate 5.33.3, Node 20 and later.
# A context may hold a reference to an actor that is no child of the machine. It is persisted as `{ xstate$$type: 1, id }`,
# as a child is. A restore looks that id up among the children: the reference becomes the own child that has the same id,
# a different actor, without an error; when there is no such child, it becomes undefined.
# Seen: see `expected`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund xstate@5.33.3
cat >program.mjs <<'PROGRAM'
import { createActor, createMachine, setup, spawnChild } from 'xstate';

const foreign = createActor(createMachine({ context: { who: 'the foreign desk' } }), { id: 'desk' }).start();
const machine = setup({
  actors: { desk: createMachine({ context: { who: 'the own child' } }) },
}).createMachine({
  context: ({ input }) => ({ desk: input.desk }),
  on: { begin: { actions: spawnChild('desk', { id: 'desk' }) } },
});
const who = (actor) => actor.getSnapshot().context.desk?.getSnapshot().context.who;
const restored = (actor) =>
  createActor(machine, { snapshot: JSON.parse(JSON.stringify(actor.getPersistedSnapshot())) }).start();

const alone = createActor(machine, { input: { desk: foreign } }).start();
console.log(`before: ${who(alone)}; restored without a child of that id: ${who(restored(alone))}`);
const parent = createActor(machine, { input: { desk: foreign } }).start();
parent.send({ type: 'begin' });
console.log(`before: ${who(parent)}; restored with a child of that id: ${who(restored(parent))}`);
PROGRAM
expected='before: the foreign desk; restored without a child of that id: undefined
before: the foreign desk; restored with a child of that id: the own child'
seen="$(node program.mjs)"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
