#!/usr/bin/env bash
# @langchain/openai 1.6.0 with @langchain/core 1.4.0.
# A chat model that is made with `streaming: true` estimates the tokens of each `invoke`, although it has asked the service for the
# usage, and has it in the answer. For that it loads a tokenizer from https://tiktoken.pages.dev, that of gpt2, with the global
# `fetch`: a `fetch` or `baseURL` of its configuration has no part in it, and the answer waits for the download. `stream`, and
# `invoke` without `streaming`, load nothing.
# Seen: see `expected`. Nothing is sent: the service and the global `fetch` are made up.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @langchain/openai@1.6.0 @langchain/core@1.4.0 js-tiktoken@1.0.21
cat >program.mjs <<'PROGRAM'
import { ChatOpenAI } from '@langchain/openai';
import ranks from 'js-tiktoken/ranks/gpt2';

const loaded = [];
globalThis.fetch = async (url) => {
  loaded.push(String(url));
  return Response.json(ranks);
};
const line = (data) => `data: ${JSON.stringify(data)}\n\n`;
const about = { id: 'a', created: 1, model: 'm' };
const usage = { prompt_tokens: 1_000, completion_tokens: 1, total_tokens: 1_001 };
let asked;
const fetch = async (_, { body }) => {
  const { stream, stream_options: options } = JSON.parse(body);
  asked = options?.include_usage ? ', asks for the usage' : '';
  const message = { role: 'assistant', content: 'Hello' };
  if (!stream) {
    const choices = [{ index: 0, message, finish_reason: 'stop' }];
    return Response.json({ ...about, object: 'chat.completion', choices, usage });
  }
  const chunk = { ...about, object: 'chat.completion.chunk' };
  const parts = [{ ...chunk, choices: [{ index: 0, delta: message, finish_reason: 'stop' }] }, { ...chunk, choices: [], usage }];
  return new Response(parts.map(line).join(''), { headers: { 'content-type': 'text/event-stream' } });
};
const made = (more) => new ChatOpenAI({ model: 'gpt-5-mini', apiKey: 'made-up', configuration: { fetch }, ...more });
const ways = {
  invoke: () => made().invoke('hello'),
  stream: async () => {
    let all;
    for await (const part of await made().stream('hello')) all = all?.concat(part) ?? part;
    return all;
  },
  'invoke with streaming': () => made({ streaming: true }).invoke('hello'),
};
for (const [name, ask] of Object.entries(ways)) {
  loaded.length = 0;
  const { content, usage_metadata: tokens } = await ask();
  console.log(`${name}${asked}: "${content}", ${tokens?.input_tokens} tokens in; loaded: ${loaded.join() || 'nothing'}`);
}
PROGRAM
expected='invoke: "Hello", 1000 tokens in; loaded: nothing
stream, asks for the usage: "Hello", 1000 tokens in; loaded: nothing
invoke with streaming, asks for the usage: "Hello", 1000 tokens in; loaded: https://tiktoken.pages.dev/js/gpt2.json'
seen="$(node program.mjs)"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
