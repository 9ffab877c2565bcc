#!/usr/bin/env bash
# Node 24.21.0 (npm package `node`).
# A module that imports `node:http` has Node load its whole `fetch` (undici), which the program may never call: an import of a
# built-in module reads all its exports, and three of `node:http` (`WebSocket`, `CloseEvent`, `MessageEvent`) are getters that load
# it. `require('node:http')` and `process.getBuiltinModule('node:http')` do not. It is most of what the import takes.
# Seen: see `expected`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm pkg set allowScripts.node=true --json
npm install --silent --no-audit --no-fund node@24.21.0
said='console.log(process.moduleLoadList.some((name) => name.endsWith("internal/deps/undici/undici")));'
printf "import 'node:http';\n%s\n" "$said" >imported.mjs
printf "require('node:http');\n%s\n" "$said" >required.cjs
printf "process.getBuiltinModule('node:http');\n%s\n" "$said" >gotten.mjs
expected='imported.mjs: true
required.cjs: false
gotten.mjs: false'
seen="$(for file in imported.mjs required.cjs gotten.mjs; do echo "$file: $(node_modules/.bin/node "$file")"; done)"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
