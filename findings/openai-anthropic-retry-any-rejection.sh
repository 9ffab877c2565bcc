#!/usr/bin/env bash
# openai 7.59.0, @anthropic-ai/sdk 1.14.0, ai 7.0.173 with @ai-sdk/openai-compatible 3.0.92.
# All three take a `fetch`, and each reads something else out of what it rejects with. The SDKs of OpenAI and Anthropic call it
# three times whatever the error is: a refusal that can never turn into an answer is tried again, and ends as "Connection error."
# with the error as its cause; an AbortError that no signal stands behind ends as "Request timed out.". The AI SDK tries again
# for a TypeError with the words "fetch failed" alone; another TypeError is final.
# Seen: see `expected`. Nothing is sent.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund \
  openai@7.59.0 @anthropic-ai/sdk@1.14.0 ai@7.0.173 @ai-sdk/openai-compatible@3.0.92 zod@4.6.7
cat >program.mjs <<'PROGRAM'
import Anthropic from '@anthropic-ai/sdk';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText } from 'ai';
import OpenAI from 'openai';

class Refused extends Error {
  isRetryable = false;
}
const errors = {
  'a refusal': () => new Refused('this host is not allowed'),
  "TypeError('fetch failed')": () => new TypeError('fetch failed', { cause: new Error('made up') }),
  'another TypeError': () => new TypeError('the network is down'),
  'an AbortError without an abort': () => new DOMException('made up', 'AbortError'),
};
const apiKey = 'made-up';
const baseURL = 'http://service.example/v1';
const messages = [{ role: 'user', content: 'hello' }];
const clients = {
  openai: (fetch) => new OpenAI({ apiKey, baseURL, fetch }).chat.completions.create({ model: 'm', messages }),
  anthropic: (fetch) => new Anthropic({ apiKey, baseURL, fetch }).messages.create({ model: 'm', max_tokens: 1, messages }),
  ai: (fetch) => generateText({ model: createOpenAICompatible({ name: 'made-up', baseURL, fetch })('m'), prompt: 'hello' }),
};
const lines = Object.entries(errors).flatMap(([kind, make]) =>
  Object.entries(clients).map(async ([name, ask]) => {
    let calls = 0;
    const fetch = async () => {
      calls += 1;
      throw make();
    };
    const { message } = await ask(fetch).catch((error) => error);
    return `${kind}, ${name}: ${calls} calls, "${message}"`;
  }),
);
for (const line of await Promise.all(lines)) console.log(line);
PROGRAM
expected='a refusal, openai: 3 calls, "Connection error."
a refusal, anthropic: 3 calls, "Connection error."
a refusal, ai: 1 calls, "this host is not allowed"
TypeError('"'fetch failed'"'), openai: 3 calls, "Connection error."
TypeError('"'fetch failed'"'), anthropic: 3 calls, "Connection error."
TypeError('"'fetch failed'"'), ai: 3 calls, "Failed after 3 attempts. Last error: AI_APICallError: Cannot connect to API: made up"
another TypeError, openai: 3 calls, "Connection error."
another TypeError, anthropic: 3 calls, "Connection error."
another TypeError, ai: 1 calls, "the network is down"
an AbortError without an abort, openai: 3 calls, "Request timed out."
an AbortError without an abort, anthropic: 3 calls, "Request timed out."
an AbortError without an abort, ai: 1 calls, "made up"'
seen="$(node program.mjs)"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
