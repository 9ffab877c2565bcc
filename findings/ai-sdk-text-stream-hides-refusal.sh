#!/usr/bin/env bash
# ai 7.0.173 with @ai-sdk/openai-compatible 3.0.92.
# A service that refuses a request with 401 looks like a model that had nothing to say: `textStream` of `streamText` gives no
# text and ends, and the response for a browser is an empty 200. An error that a service sends within its stream looks like the
# end of an answer. A broken connection throws, so a `try` around the loop seems to do. The first two are told to `onError`, or
# printed without one, and are parts of `stream`; the third is not told to `onError`.
# Seen: see `expected`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ai@7.0.173 @ai-sdk/openai-compatible@3.0.92 zod@4.6.7
cat >program.mjs <<'PROGRAM'
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { streamText } from 'ai';

let kind;
const line = (value) => `data: ${JSON.stringify(value)}\n\n`;
const choices = [{ index: 0, delta: { role: 'assistant', content: 'Half of' }, finish_reason: null }];
const half = { id: 'a', object: 'chat.completion.chunk', created: 1, model: 'm', choices };
const error = { message: 'made up', type: 'server_error', code: null };
const server = createServer((request, response) => {
  request.resume();
  if (kind === 'a 401') {
    response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' }).write(line(half), () => {
    if (kind === 'an error in the stream') response.end(line({ error }));
    else setTimeout(() => response.destroy(), 100);
  });
});
await once(server.listen(0, '127.0.0.1'), 'listening');
const baseURL = `http://127.0.0.1:${server.address().port}/v1`;
const model = createOpenAICompatible({ name: 'made-up', baseURL })('m');

async function read(stream) {
  let all = '';
  try {
    for await (const part of stream) all += part;
    return `"${all}" and ends`;
  } catch {
    return `"${all}" and throws`;
  }
}

for (kind of ['a 401', 'an error in the stream', 'a broken connection']) {
  const told = [];
  const onError = ({ error }) => void told.push(error.name);
  const ask = () => streamText({ model, prompt: 'hello', maxRetries: 0, onError });
  console.log(`${kind}: textStream gives ${await read(ask().textStream)}; onError: ${told.join() || 'nothing'}`);
  const response = ask().toTextStreamResponse();
  const text = await read(response.body.pipeThrough(new TextDecoderStream()));
  console.log(`${kind}: toTextStreamResponse is ${response.status}, gives ${text}`);
}
server.closeAllConnections();
server.close();
PROGRAM
expected='a 401: textStream gives "" and ends; onError: AI_APICallError
a 401: toTextStreamResponse is 200, gives "" and ends
an error in the stream: textStream gives "Half of" and ends; onError: AI_StreamProviderError
an error in the stream: toTextStreamResponse is 200, gives "Half of" and ends
a broken connection: textStream gives "Half of" and throws; onError: nothing
a broken connection: toTextStreamResponse is 200, gives "Half of" and throws'
seen="$(node program.mjs)"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
