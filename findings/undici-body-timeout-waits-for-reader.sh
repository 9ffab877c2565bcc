#!/usr/bin/env bash
# undici 7.30.2.
# A program looks at the status of an answer and lets the body be. With a small answer that costs nothing: it is taken in, and the
# connection is free. From 64 KiB on, the rest waits for a reader, and the connection with it, though the server has sent all.
# `bodyTimeout` does not bound that: it stands still while nobody reads, and the body can be had whole long after.
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
import { Agent, fetch, request } from 'undici';

const clients = {
  fetch: async (url, dispatcher) => fetch(url, { dispatcher }),
  request: async (url, dispatcher) => (await request(url, { dispatcher })).body,
};
for (const [name, get] of Object.entries(clients)) {
  for (const size of [60 * 1024, 64 * 1024]) {
    let sent = false;
    const server = createServer((_, response) => {
      response.on('finish', () => (sent = true));
      response.end(Buffer.alloc(size));
    });
    server.keepAliveTimeout = 0;
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${server.address().port}`;
    const agent = new Agent({ bodyTimeout: 300, headersTimeout: 300, keepAliveTimeout: 300 });
    const body = await get(url, agent);
    await pause(4_000);
    const held = Object.values(agent.stats).some(({ running }) => running > 0);
    const { byteLength } = await body.arrayBuffer();
    const what = `${sent ? 'all was sent' : 'not all was sent'}, its connection is ${held ? 'in use' : 'free'}`;
    console.log(`${name}, ${size} bytes: 4 s later ${what}; then ${byteLength} bytes are read`);
    await agent.destroy();
    server.closeAllConnections();
    server.close();
  }
}
PROGRAM
expected='fetch, 61440 bytes: 4 s later all was sent, its connection is free; then 61440 bytes are read
fetch, 65536 bytes: 4 s later all was sent, its connection is in use; then 65536 bytes are read
request, 61440 bytes: 4 s later all was sent, its connection is free; then 61440 bytes are read
request, 65536 bytes: 4 s later all was sent, its connection is in use; then 65536 bytes are read'
seen="$(node program.mjs)"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
