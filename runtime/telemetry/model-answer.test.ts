import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chat } from '../../examples/support-desk/model/chat.ts';
import { messages } from '../../examples/support-desk/model/messages.ts';
import type { Protocol } from '../../examples/support-desk/model/protocol.ts';
import { responses } from '../../examples/support-desk/model/responses.ts';
import { ModelAnswer, type ModelFacts } from './model-answer.ts';

const lie = '{"model":"liar","output_tokens": 999, "completion_tokens":999,"stop_reason":"lie"}';
const asked = {
  model: 'model-1',
  text: '',
  tools: [],
  toolResult: undefined,
  words: 7,
  wantsUsage: true,
  key: '',
};
const turn = { tokens: ['it ', 'says ', lie] };
const figures = { model: 'model-1', inputTokens: 7, outputTokens: 3 };

function factsOf(body: string, sizes: readonly number[]): ModelFacts {
  const answer = new ModelAnswer();
  const bytes = Buffer.from(body);
  for (let at = 0, n = 0; at < bytes.length; n += 1) {
    const size = sizes[n % sizes.length] ?? 1;
    answer.push(bytes.subarray(at, at + size));
    at += size;
  }
  return answer.facts;
}

test.each<[string, Protocol, Partial<ModelFacts>]>([
  ['chat completions', chat, { ...figures, id: 'chat-1', finishReason: 'stop' }],
  ['messages', messages, { ...figures, id: 'message-1', finishReason: 'end_turn' }],
  ['responses', responses, { ...figures, id: 'response-1', finishReason: undefined }],
])(
  'of %s the facts are read, streamed or whole, wherever they are cut, and what a model says is none',
  (_, protocol, facts) => {
    const stream = [...protocol.stream(asked, turn)].map(({ text }) => text).join('');
    const whole = JSON.stringify(protocol.whole(asked, turn), null, 2);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }), (sizes) => {
        expect(factsOf(stream, sizes)).toEqual(facts);
        expect(factsOf(whole, sizes)).toEqual(facts);
      }),
      { numRuns: 30 },
    );
  },
);

test('of a body that is something else nothing is read', () => {
  expect(Object.values(factsOf('%PDF-1.7 "model": "a b", no tokens', [5]))).toEqual(Array(5).fill(undefined));
});
