#!/usr/bin/env bash
# Node 24.21.0 (npm package `node`), pg 8.23.1 and pg-pool as it comes with it.
# `node -C import` (and `execArgv` or `NODE_OPTIONS` with it, as test runners hand on the conditions of a bundler) adds the
# condition for `require` too. A CommonJS package that requires another one which exports a module for `import` then gets that
# module's namespace instead of what `module.exports` holds. pg extends the class that pg-pool exports: it no longer loads.
# Seen: see `expected`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm pkg set allowScripts.node=true --json
npm install --silent --no-audit --no-fund node@24.21.0 pg@8.23.1
cat >program.cjs <<'PROGRAM'
try {
  console.log(typeof require('pg').Pool);
} catch (error) {
  console.log(`${error.name}: ${error.message}`);
}
PROGRAM
expected='function
TypeError: Class extends value [object Module] is not a constructor or null'
seen="$(node_modules/.bin/node program.cjs; node_modules/.bin/node -C import program.cjs)"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
