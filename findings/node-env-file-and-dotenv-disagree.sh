#!/usr/bin/env bash
# Node 24.21.0 (npm package `node`; `--env-file` and `util.parseEnv` read alike) and dotenv 17.2.3.
# The two read the same .env differently, so a service gets other keys when it is started with `node --env-file` than it got with
# dotenv. A name left blank, with a space behind its `=`, has for Node the whole next line as its value: that line's own variable
# is not set. Behind a value in quotes, an indented comment that has a `=` is a variable for Node, and what follows on the line of
# a closing quote is left out by Node and kept, quotes and all, by dotenv. `\"` ends the value for Node only; dotenv keeps the backslash.
# Seen: see `expected`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm pkg set allowScripts.node=true --json
npm install --silent --no-audit --no-fund node@24.21.0 dotenv@17.2.3
cat >program.mjs <<'PROGRAM'
import { parseEnv } from 'node:util';
import dotenv from 'dotenv';

const files = ['A= \nB=x', 'A="q"\n  # note = old\nB=2', 'A="x" tail', 'A="a\\"b"', 'A: x'];
for (const text of files) {
  console.log(`${JSON.stringify(text)} node ${JSON.stringify(parseEnv(text))} dotenv ${JSON.stringify(dotenv.parse(text))}`);
}
PROGRAM
expected='"A= \nB=x" node {"A":"B=x"} dotenv {"A":"","B":"x"}
"A=\"q\"\n  # note = old\nB=2" node {"# note":"old","A":"q","B":"2"} dotenv {"A":"q","B":"2"}
"A=\"x\" tail" node {"A":"x"} dotenv {"A":"\"x\" tail"}
"A=\"a\\\"b\"" node {"A":"a\\"} dotenv {"A":"a\\\"b"}
"A: x" node {} dotenv {"A":"x"}'
seen="$(node_modules/.bin/node program.mjs)"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
