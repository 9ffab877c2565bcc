import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, streamText, type ModelMessage, type TypedToolCall, type ToolSet } from 'ai';
import { boundFetch, step, type ReplyStream } from 'holdfast/agent';
import { fromPromise, type PromiseActorLogic } from 'xstate';

const { MODEL_URL, MODEL } = process.env;

/** The host sends what this client sends, and adds the key, which this thread does not have. */
const model = createOpenAICompatible({
  name: 'model',
  baseURL: `${MODEL_URL}/v1`,
  fetch: boundFetch('model'),
})(MODEL ?? 'gpt-5-mini');

/** Plain data, but for the stream: a state that is kept has it. */
export interface Question {
  readonly messages: readonly ModelMessage[];
  readonly out: ReplyStream;
}

export interface Answer {
  readonly messages: readonly ModelMessage[];
  readonly calls: readonly TypedToolCall<ToolSet>[];
}

/** Has the model answer; each token goes out as it comes. The SDK tries again after 429 and 500, twice at most. */
export const answering = (instructions: string, tools: ToolSet): PromiseActorLogic<Answer, Question> =>
  fromPromise(async ({ input, signal }) => {
    const { messages, out } = input;
    const answer = streamText({
      model,
      instructions,
      tools,
      messages: [...messages],
      abortSignal: AbortSignal.any([signal, out.signal]),
      // Without it the SDK prints errors, with the prompt in them. They are thrown below.
      onError: () => {},
    });
    for await (const part of answer.stream) {
      if (part.type === 'text-delta') await out.write(part.text);
      if (part.type === 'error') throw part.error;
    }
    const calls = await answer.toolCalls;
    // One that the model got wrong has its answer already, from the SDK: what was wrong with it.
    return {
      messages: await answer.responseMessages,
      calls: calls.filter(({ invalid }) => invalid !== true),
    };
  });

/** Sums a conversation up, for whoever reads it later. With a store the model is paid for that once, whenever the process dies. */
export const noting = fromPromise<string, readonly ModelMessage[]>(({ input }) =>
  step('note', async (signal) => {
    const instructions = 'Sum the conversation up for a colleague, in one sentence.';
    const { text } = await generateText({ model, instructions, messages: [...input], abortSignal: signal });
    return text;
  }),
);
