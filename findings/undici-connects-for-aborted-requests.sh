#!/usr/bin/env bash
# undici 7.30.2.
# A request is aborted while its answer streams. Its connection is closed, as HTTP/1.1 needs it; then the agent opens another one
# in its place, on which nothing is sent, and keeps it for seconds while some other answer of that origin still streams. A
# service whose readers leave sees as many new connections, with TLS as many handshakes, as there were aborts.
# Seen: see `expected`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund undici@7.30.2
cat >program.mjs <<'PROGRAM'
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { Agent, fetch } from 'undici';

let requests = 0;
let connections = 0;
let open = 0;
const server = createServer((_, response) => {
  requests += 1;
  response.write('the beginning');
});
server.on('connection', (socket) => {
  connections += 1;
  open += 1;
  socket.on('close', () => (open -= 1));
});
await once(server.listen(0, '127.0.0.1'), 'listening');
const url = `http://127.0.0.1:${server.address().port}`;
const dispatcher = new Agent();
const begin = async () => {
  const controller = new AbortController();
  const { body } = await fetch(url, { dispatcher, signal: controller.signal });
  const reader = body.getReader();
  await reader.read();
  return async () => {
    controller.abort();
    await reader.read().catch(() => {});
  };
};
const [one, ...eight] = await Promise.all(Array.from({ length: 9 }, begin));
const tell = (when) => console.log(`${when}: ${requests} requests, ${connections} connections, ${open} open`);
tell('nine answers stream');
for (const abort of eight) await abort();
await pause(1_500);
tell('1.5 s after eight were aborted');
await pause(10_000);
tell('10 s later');
await one();
await dispatcher.close();
server.closeAllConnections();
server.close();
PROGRAM
expected='nine answers stream: 9 requests, 9 connections, 9 open
1.5 s after eight were aborted: 9 requests, 17 connections, 9 open
10 s later: 9 requests, 17 connections, 1 open'
seen="$(node program.mjs)"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
