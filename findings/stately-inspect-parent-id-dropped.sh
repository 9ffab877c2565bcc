#!/usr/bin/env bash
# @statelyai/inspect 0.7.2 with xstate 5.33.3, Node 20 and later.
# `inspector.actor(actor, snapshot, { parentId })` is for whoever tells an inspector of actors by hand, of other threads for
# example. The `parentId` of its type and its docs is dropped: the source reads `a ?? b ? c : d`, which is `(a ?? b) ? c : d`,
# so a given id leads to `undefined` for an actor that is named by a text, and to the actor's own parent otherwise. The tree
# then has no branches.
# Seen: see `expected`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund xstate@5.33.3 @statelyai/inspect@0.7.2
cat >program.mjs <<'PROGRAM'
import { createInspector } from '@statelyai/inspect';
import { createActor, createMachine } from 'xstate';

const seen = [];
const inspector = createInspector({ send: (event) => seen.push(event), start() {}, stop() {} });
const actor = createActor(createMachine({}), { id: 'child' });
const told = { parentId: 'the parent' };
inspector.actor(actor, actor.getSnapshot(), told);
inspector.actor('a child elsewhere', undefined, told);
for (const { sessionId, parentId } of seen) console.log(`${sessionId === actor.sessionId ? 'an actor' : sessionId}: parent ${parentId}`);
PROGRAM
expected='an actor: parent undefined
a child elsewhere: parent undefined'
seen="$(node program.mjs)"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
