/** What is another in a project whose agent streams the answer of a model. */

export const llmConfig = `{
  // Completes and checks this file in an editor.
  $schema: './node_modules/holdfast/dist/schema.json',

  // Keys are variables of the host, which the runtime takes out of its environment. Or AWS Secrets Manager, files, a command.
  externalSecrets: { provider: 'env' },

  agents: {
    // Its module is ./agents/writer.ts; at most four threads at any time.
    writer: {
      type: 'thread-bound',
      threadId: 'writers',
      maxThreads: 4,
      secrets: {
        // The host adds the key to the agent's requests of these, and takes it out of what comes back.
        openai: {
          ref: 'OPENAI_API_KEY',
          mode: 'inject',
          hosts: ['api.openai.com'],
          methods: ['POST'],
          paths: ['/v1/chat/completions'],
        },
      },
    },
  },
}
`;

export const llmAgent = `import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { streamText } from 'ai';
import { boundFetch, replyStream } from 'holdfast/agent';
import { assertEvent, fromPromise, setup } from 'xstate';

export type Question = { type: 'ask'; text: string };

/** Its requests are sent by the host, which has the key. There is none in this thread. */
const model = createOpenAICompatible({
  name: 'openai',
  baseURL: 'https://api.openai.com/v1',
  fetch: boundFetch('openai'),
})('gpt-5-mini');

const writing = fromPromise<void, Question>(async ({ input }) => {
  const out = replyStream(input);
  try {
    const answer = streamText({
      model,
      prompt: input.text,
      // Whoever asked may stop reading: then the request ends.
      abortSignal: out.signal,
      // Without it errors are printed as well, with the prompt.
      onError: () => {},
    });
    for await (const part of answer.stream) {
      if (part.type === 'text-delta') await out.write(part.text);
      if (part.type === 'error') throw part.error;
    }
    out.end();
  } catch (error) {
    out.fail(error);
  }
});

/** Answers one question at a time. An ordinary machine: nothing in it knows that it runs in a thread of its own. */
export default setup({ types: { events: {} as Question }, actors: { writing } }).createMachine({
  initial: 'idle',
  states: {
    idle: { on: { ask: 'writing' } },
    writing: {
      invoke: {
        src: 'writing',
        input: ({ event }) => {
          assertEvent(event, 'ask');
          return event;
        },
        onDone: 'idle',
      },
    },
  },
});
`;

export const llmMain = `import { createRuntime } from 'holdfast';
import type writer from './agents/writer.ts';

// The agents of openclaw.json, with their types: npm run check finds a name or an event that is wrong.
type Agents = { writer: { logic: typeof writer } };

const { OPENAI_API_KEY } = process.env;
if (OPENAI_API_KEY === undefined) {
  console.error('Write the key of your model into the file .env: OPENAI_API_KEY=sk-…');
  process.exit(1);
}
const [text = 'Why do bridges hum?'] = process.argv.slice(2).filter((word) => !word.startsWith('--'));

const runtime = await createRuntime<Agents>(
  new URL('openclaw.json', import.meta.url),
  // A page that shows all actors: npm start -- --inspect-agents
  process.argv.includes('--inspect-agents') ? { inspect: 'local' } : {},
);

const ada = await runtime.spawn('writer', { id: 'ada' });
for await (const token of ada.askStream<string>({ type: 'ask', text })) process.stdout.write(token);
console.log();

if (runtime.inspector === undefined) await runtime.stop();
`;
