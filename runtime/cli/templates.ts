import { llmAgent, llmConfig, llmMain } from './llm-template.ts';

/** What a new project begins with: an agent that greets, or one that streams the answer of a model. */
export const templateNames = ['hello', 'llm'] as const;
export type TemplateName = (typeof templateNames)[number];

/** The files of a new project, by their path in it; `holdfast` is what its manifest has Holdfast from. */
export function projectFiles(
  name: string,
  holdfast: string,
  template: TemplateName = 'hello',
): ReadonlyMap<string, string> {
  const own =
    template === 'llm'
      ? { config: llmConfig, path: 'agents/writer.ts', agent: llmAgent, main: llmMain }
      : { config, path: 'agents/greeter.ts', agent: greeter, main };
  return new Map([
    ['package.json', packageJson(name, { holdfast, ...packages[template] }, starts[template])],
    ['tsconfig.json', tsconfig],
    ['openclaw.json', own.config],
    [own.path, own.agent],
    ['main.ts', own.main],
    ['.gitignore', 'node_modules\n.env\n'],
  ]);
}

/** XState's range is that of the peer. The SDK's are of the versions that Holdfast is tested with. */
const packages: Readonly<Record<TemplateName, Readonly<Record<string, string>>>> = {
  hello: { xstate: '^5.33.0' },
  llm: { '@ai-sdk/openai-compatible': '^3.0.92', ai: '^7.0.173', xstate: '^5.33.0' },
};

const starts: Readonly<Record<TemplateName, string>> = {
  hello: 'node main.ts',
  llm: 'node --env-file-if-exists=.env main.ts',
};

/** The types are those of the oldest Node that it says it runs on. */
const packageJson = (name: string, dependencies: object, start: string): string =>
  toJson({
    name,
    private: true,
    type: 'module',
    scripts: { start, precheck: 'holdfast config validate', check: 'tsc' },
    dependencies,
    devDependencies: { '@types/node': '^22.18.0', typescript: '^7.0.2' },
    engines: { node: '>=22.18' },
  });

/**
 * Node runs the files as they are and only takes the types away: no syntax that would have to be translated, and imports as
 * they are at run time. Not `exactOptionalPropertyTypes`, with which XState's own types are wrong.
 */
const tsconfig = toJson({
  compilerOptions: {
    module: 'nodenext',
    target: 'esnext',
    lib: ['esnext'],
    types: ['node'],
    noEmit: true,
    allowImportingTsExtensions: true,
    erasableSyntaxOnly: true,
    verbatimModuleSyntax: true,
    strict: true,
    noUncheckedIndexedAccess: true,
    noUnusedLocals: true,
    noUnusedParameters: true,
    noImplicitOverride: true,
    noFallthroughCasesInSwitch: true,
    skipLibCheck: true,
  },
});

const config = `{
  // Completes and checks this file in an editor.
  $schema: './node_modules/holdfast/dist/schema.json',

  agents: {
    // Its module is ./agents/greeter.ts; at most two threads at any time.
    greeter: { type: 'thread-bound', threadId: 'greeting-pool', maxThreads: 2 },
  },
}
`;

const greeter = `import { assign, setup } from 'xstate';
import { reply, self } from 'holdfast/agent';

/** What it replies, by the type of the event. */
export type Replies = { greet: string };

/** Counts whom it has met. An ordinary machine: nothing in it knows that it runs in a thread of its own. */
export default setup({
  types: {
    context: {} as { met: number },
    events: {} as { type: 'greet'; name: string },
  },
}).createMachine({
  context: { met: 0 },
  on: {
    greet: {
      actions: [
        assign({ met: ({ context }) => context.met + 1 }),
        reply(
          ({ context, event }): Replies['greet'] =>
            \`Hello \${event.name}, you are number \${context.met} at \${self()?.address}\`,
        ),
      ],
    },
  },
});
`;

const main = `import { createRuntime } from 'holdfast';
import type greeter from './agents/greeter.ts';
import type { Replies } from './agents/greeter.ts';

// The agents of openclaw.json, with their types: npm run check finds a name or an event that is wrong.
type Agents = { greeter: { logic: typeof greeter; replies: Replies } };

const runtime = await createRuntime<Agents>(
  new URL('openclaw.json', import.meta.url),
  // A page that shows all actors: node main.ts --inspect-agents
  process.argv.includes('--inspect-agents') ? { inspect: 'local' } : {},
);

const front = await runtime.spawn('greeter', { id: 'front' });
for (const name of ['Ada', 'Grace']) console.log(await front.ask({ type: 'greet', name }));

if (runtime.inspector === undefined) await runtime.stop();
`;

function toJson(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
