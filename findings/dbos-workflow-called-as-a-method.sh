#!/usr/bin/env bash
# @dbos-inc/dbos-sdk 5.3.0, Debian's postgresql.
# What `DBOS.registerWorkflow` gives is a function. Imported by its name it runs; the same function, called through the namespace of
# the module that exports it or as a member of any object, is refused, for DBOS takes what stands before the dot for an
# instance of a class of its own. A bundler turns `flows.add(1)` into `add(1)`, and it works again.
# Seen: see `expected`.
set -euo pipefail
folder="$(mktemp -d)"
bin="$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin | sort -V | tail -1)"
as=()
stop() {
  "${as[@]}" "$bin/pg_ctl" -D "$folder/postgres/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$folder"
}
trap stop EXIT
cd "$folder"
mkdir -m 700 postgres
if [ "$(id -u)" = 0 ]; then
  # Postgres refuses root.
  as=(runuser -u postgres --)
  chmod 711 .
  chown postgres postgres
fi
"${as[@]}" "$bin/initdb" -D postgres/data -U dbos --auth=trust >/dev/null
# A socket in the folder, and no port.
"${as[@]}" "$bin/pg_ctl" -D postgres/data -w -l postgres/log -o "-k $folder/postgres -h ''" start >/dev/null
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @dbos-inc/dbos-sdk@5.3.0
cat >flows.mjs <<'PROGRAM'
import { DBOS } from '@dbos-inc/dbos-sdk';

export const add = DBOS.registerWorkflow(async (n) => n + 1, { name: 'add' });
PROGRAM
cat >program.mjs <<'PROGRAM'
import { DBOS } from '@dbos-inc/dbos-sdk';
import * as flows from './flows.mjs';
import { add } from './flows.mjs';

DBOS.setConfig({
  name: 'example',
  applicationVersion: '1',
  systemDatabaseUrl: `postgresql://dbos@localhost/postgres?host=${process.argv[2]}`,
  logger: { debug() {}, info() {}, warn() {}, error() {} },
});
await DBOS.launch();
const tell = async (what, run) =>
  console.log(`${what}: ${await run().then((sum) => `gives ${sum}`, (error) => error.message)}`);
await tell('add(1)', async () => add(1));
await tell('flows.add(1)', async () => flows.add(1));
await tell('{ add }.add(1)', async () => ({ add }).add(1));
await tell('startWorkflow(flows.add)(1)', async () => (await DBOS.startWorkflow(flows.add)(1)).getResult());
await DBOS.shutdown();
PROGRAM
expected='add(1): gives 2
flows.add(1): Attempt to call a `workflow` function on an object that is not a `ConfiguredInstance`
{ add }.add(1): Attempt to call a `workflow` function on an object that is not a `ConfiguredInstance`
startWorkflow(flows.add)(1): gives 2'
seen="$(node --no-deprecation program.mjs "$folder/postgres")"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
