#!/usr/bin/env bash
# @modelcontextprotocol/client and @modelcontextprotocol/server 2.4.0.
# A client of this release speaks the older protocol to a server of the same release unless it is told otherwise, and
# `createMcpHandler` serves that without sessions: each request has a server of its own. The notification that a call is cancelled
# is answered with 202 by a server that has no such call, and the tool works on: its signal is never aborted. With
# `versionNegotiation: { mode: 'auto' }` both speak the protocol of 2026-07-28, where the end of the request is the cancel.
# Seen: see `expected`. Over a connection it is the same; here the client is handed the server's own `fetch`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund \
  @modelcontextprotocol/client@2.4.0 @modelcontextprotocol/server@2.4.0
cat >program.mjs <<'PROGRAM'
import { setTimeout as pause } from 'node:timers/promises';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';

let now;
const handler = createMcpHandler(() => {
  const server = new McpServer({ name: 'made-up', version: '1.0.0' });
  server.registerTool('work', {}, async ({ mcpReq: { signal } }) => {
    const mine = now;
    mine.began.resolve();
    mine.how = await pause(2_000, 'its work is done', { signal }).catch(() => 'its signal was aborted');
    return { content: [] };
  });
  return server;
});

for (const options of [{}, { versionNegotiation: { mode: 'auto' } }]) {
  now = { began: Promise.withResolvers(), how: 'not yet' };
  let cancel = 'none';
  const fetch = async (url, init) => {
    const answer = await handler.fetch(new Request(url, init));
    if (init.body?.includes('notifications/cancelled')) cancel = `answered with ${answer.status}`;
    return answer;
  };
  const client = new Client({ name: 'made-up', version: '1.0.0' }, options);
  await client.connect(new StreamableHTTPClientTransport(new URL('http://tools.example/mcp'), { fetch }));
  const controller = new AbortController();
  const call = client.callTool({ name: 'work', arguments: {} }, { signal: controller.signal });
  await now.began.promise;
  controller.abort();
  const { code } = await call.catch((error) => error);
  await pause(4_000);
  const { mode = 'as it is' } = options.versionNegotiation ?? {};
  console.log(`${mode}: the call rejects with ${code}; notification: ${cancel}; the tool has ended: ${now.how}`);
  await client.close();
}
PROGRAM
expected='as it is: the call rejects with REQUEST_TIMEOUT; notification: answered with 202; the tool has ended: its work is done
auto: the call rejects with REQUEST_TIMEOUT; notification: none; the tool has ended: its signal was aborted'
seen="$(node program.mjs)"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
