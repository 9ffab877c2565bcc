#!/usr/bin/env bash
# openai 7.59.0, @anthropic-ai/sdk 1.14.0, @langchain/openai 1.6.0 with @langchain/core 1.4.0,
# ai 7.0.173 with @ai-sdk/openai-compatible 3.0.92 and @ai-sdk/anthropic 4.0.105.
# A service, or a proxy before it, ends an answer properly, for HTTP, in the middle: no finish reason comes, no `[DONE]`, no
# `message_stop`. The streams of the SDKs of OpenAI and Anthropic and of LangChain just end, so half an answer looks whole; the
# finish reason, which is missing, is the only sign. Their helpers (`.stream(…)`) throw. The AI SDK has an `error` part with the one
# protocol, and none with the other: there the finish reason says "interrupted".
# Seen: see `expected`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund \
  openai@7.59.0 @anthropic-ai/sdk@1.14.0 @langchain/openai@1.6.0 @langchain/core@1.4.0 \
  ai@7.0.173 @ai-sdk/openai-compatible@3.0.92 @ai-sdk/anthropic@4.0.105 zod@4.6.7
cat >program.mjs <<'PROGRAM'
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import Anthropic from '@anthropic-ai/sdk';
import { ChatOpenAI } from '@langchain/openai';
import { streamText } from 'ai';
import OpenAI from 'openai';

globalThis.AI_SDK_LOG_WARNINGS = false;
const line = (data) => `event: ${data.type ?? 'message'}\ndata: ${JSON.stringify(data)}\n\n`;
const message = {
  id: 'a', type: 'message', role: 'assistant', model: 'm', content: [],
  stop_reason: null, stop_sequence: null, usage: { input_tokens: 1, output_tokens: 1 },
};
const choices = [{ index: 0, delta: { role: 'assistant', content: 'Half of' }, finish_reason: null }];
const ofOpenAI = [{ id: 'a', object: 'chat.completion.chunk', created: 1, model: 'm', choices }];
const ofAnthropic = [
  { type: 'message_start', message },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Half of' } },
];
const server = createServer((request, response) => {
  request.resume();
  const events = request.url.endsWith('/messages') ? ofAnthropic : ofOpenAI;
  response.writeHead(200, { 'content-type': 'text/event-stream' }).end(events.map(line).join(''));
});
await once(server.listen(0, '127.0.0.1'), 'listening');
const origin = `http://127.0.0.1:${server.address().port}`;
const baseURL = `${origin}/v1`;
const apiKey = 'made-up';
const messages = [{ role: 'user', content: 'hello' }];
const openai = new OpenAI({ apiKey, baseURL }).chat.completions;
const anthropic = new Anthropic({ apiKey, baseURL: origin }).messages;
const chat = new ChatOpenAI({ model: 'm', apiKey, configuration: { baseURL } });

async function all(stream, textOf) {
  let text = '';
  for await (const part of await stream) text += textOf(part) ?? '';
  return `"${text}"`;
}
async function parts(model) {
  const types = [];
  for await (const { type, finishReason } of streamText({ model, prompt: 'hello', onError() {} }).stream) {
    if (type === 'error' || type === 'finish') types.push(finishReason ? `${type} "${finishReason}"` : type);
  }
  return `parts: ${types.join(', ')}`;
}
const ways = {
  openai: () => all(openai.create({ model: 'm', messages, stream: true }), ({ choices: [one] }) => one.delta.content),
  'openai, helper': () => openai.stream({ model: 'm', messages }).finalChatCompletion(),
  anthropic: () => all(anthropic.create({ model: 'm', max_tokens: 9, messages, stream: true }), ({ delta }) => delta?.text),
  'anthropic, helper': () => anthropic.stream({ model: 'm', max_tokens: 9, messages }).finalMessage(),
  langchain: () => all(chat.stream('hello'), ({ content }) => content),
  'ai, openai-compatible': () => parts(createOpenAICompatible({ name: 'made-up', baseURL })('m')),
  'ai, anthropic': () => parts(createAnthropic({ apiKey, baseURL })('m')),
};
for (const [name, ask] of Object.entries(ways)) {
  console.log(`${name}: ${await ask().catch((error) => `throws "${error.message}"`)}`);
}
server.closeAllConnections();
server.close();
PROGRAM
expected='openai: "Half of"
openai, helper: throws "missing finish_reason for choice 0"
anthropic: "Half of"
anthropic, helper: throws "stream ended without producing a Message with role=assistant"
langchain: "Half of"
ai, openai-compatible: parts: error, finish "error"
ai, anthropic: parts: finish "interrupted"'
seen="$(node program.mjs)"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
