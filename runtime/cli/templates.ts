import { version } from '../version.ts';

/** The files of a new project, by their path in it. */
export function projectFiles(name: string): ReadonlyMap<string, string> {
  return new Map([
    ['package.json', packageJson(name)],
    ['openclaw.json', config],
    ['agents/greeter.ts', greeter],
    ['main.ts', main],
    ['.gitignore', 'node_modules\n.env\n'],
  ]);
}

/** XState's range is that of the peer. */
const packageJson = (name: string): string =>
  `${JSON.stringify(
    {
      name,
      private: true,
      type: 'module',
      scripts: { start: 'node main.ts', check: 'holdfast config validate' },
      dependencies: { holdfast: `^${version}`, xstate: '^5.33.0' },
      engines: { node: '>=22.18' },
    },
    undefined,
    2,
  )}\n`;

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
        reply(({ context, event }) => \`Hello \${event.name}, you are number \${context.met} at \${self()?.address}\`),
      ],
    },
  },
});
`;

const main = `import { agent, createRuntime } from 'holdfast';
import type greeter from './agents/greeter.ts';

const runtime = await createRuntime(
  new URL('openclaw.json', import.meta.url),
  // A page that shows all actors: node main.ts --inspect-agents
  process.argv.includes('--inspect-agents') ? { inspect: 'local' } : {},
);

const front = await runtime.spawn('greeter', { id: 'front' });
for (const name of ['Ada', 'Grace']) console.log(await front.ask({ type: 'greet', name }));

if (runtime.inspector === undefined) await runtime.stop();
`;
