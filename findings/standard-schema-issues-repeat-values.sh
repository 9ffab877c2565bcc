#!/usr/bin/env bash
# zod 4.6.7, valibot 1.5.0, arktype 2.2.10, each behind Standard Schema 1.
# One interface, three kinds of issues. The messages of valibot and arktype repeat the text that did not fit, zod's do not; so a
# program that logs or answers with `issue.message` tells what a user typed, a password or a card, with some schemas and not
# with others. Whoever logs `path` of valibot's issues logs the whole input: each part of it holds the object that it was found in.
# The paths of arktype are lists of a class of their own, and its issues cannot be cloned, so no worker can post them.
# Seen: see `expected`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund zod@4.6.7 valibot@1.5.0 arktype@2.2.10
cat >program.mjs <<'PROGRAM'
import { type } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';

const schemas = {
  zod: z.object({ mail: z.email(), name: z.string() }),
  valibot: v.object({ mail: v.pipe(v.string(), v.email()), name: v.string() }),
  arktype: type({ mail: 'string.email', name: 'string' }),
};
const input = { mail: 'hunter2', name: 'Ada' };
for (const [name, schema] of Object.entries(schemas)) {
  const { issues } = schema['~standard'].validate(input);
  const [{ message, path }] = issues;
  const holds = JSON.stringify(path).includes(input.name) ? 'holds the other fields' : 'holds keys';
  let clones = 'clones';
  try {
    structuredClone(issues);
  } catch (error) {
    clones = error.name;
  }
  console.log(`${name}: "${message}"; path: ${path.constructor.name}, ${holds}; structuredClone(issues): ${clones}`);
}
PROGRAM
expected='zod: "Invalid email address"; path: Array, holds keys; structuredClone(issues): clones
valibot: "Invalid email: Received "hunter2""; path: Array, holds the other fields; structuredClone(issues): clones
arktype: "mail must be an email address (was "hunter2")"; path: ReadonlyPath, holds keys; structuredClone(issues): DataCloneError'
seen="$(node program.mjs)"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
