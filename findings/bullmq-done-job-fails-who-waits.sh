#!/usr/bin/env bash
# bullmq 6.7.0 with ioredis 6.0.0, Debian's redis-server.
# A job with `removeOnComplete: true` that is done before somebody waits for it: `waitUntilFinished` rejects, as for a job that has
# failed, though the job was done and its result was told. `add` followed by `waitUntilFinished` at once is a race, which a
# fast worker wins now and then; who tries again then has the work done twice. With some finished jobs kept it does not happen.
# Seen: see `expected`.
set -euo pipefail
folder="$(mktemp -d)"
server=''
stop() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$folder"
}
trap stop EXIT
cd "$folder"
# A socket in the folder, and no port.
redis-server --port 0 --unixsocket "$folder/redis.sock" --save '' >/dev/null &
server=$!
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bullmq@6.7.0 ioredis@6.0.0
cat >program.mjs <<'PROGRAM'
import { once } from 'node:events';
import { Queue, QueueEvents, Worker } from 'bullmq';

const connection = { path: process.argv[2] };
const queue = new Queue('jobs', { connection });
const events = new QueueEvents('jobs', { connection });
await events.waitUntilReady();
let done = 0;
const worker = new Worker('jobs', async () => `result ${++done}`, { connection });
for (const removeOnComplete of [true, { count: 1000 }]) {
  const completed = once(events, 'completed');
  const job = await queue.add('job', {}, { removeOnComplete });
  const [{ returnvalue }] = await completed;
  const seen = await job.waitUntilFinished(events).then(
    (result) => `has ${result}`,
    (error) => `is told "${error.message}"`,
  );
  console.log(`removeOnComplete ${JSON.stringify(removeOnComplete)}: done with ${returnvalue}; who waits ${seen}`);
}
await Promise.all([worker.close(), queue.close(), events.close()]);
PROGRAM
expected='removeOnComplete true: done with result 1; who waits is told "Missing key for job bull:jobs:1. isFinished"
removeOnComplete {"count":1000}: done with result 2; who waits has result 2'
seen="$(node program.mjs "$folder/redis.sock")"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
