import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, root } from './place.ts';

/** A page as an app has it: what is marked is wrong, and has to be found. */
const page = `import { connect, GatewayError } from 'holdfast/client';
import { useAgent } from 'holdfast/client/react';
import type { ActorLogic, AnyActorRef, Snapshot } from 'xstate';

type Desk = ActorLogic<Snapshot<unknown>, { type: 'say'; text: string }, undefined, AnyActorRef['system'], { type: 'said' }>;

const client = connect<{ desk: { logic: Desk; replies: { say: number } } }>({ url: location.href });
const desk = client.agent('desk/a');
export const reply: number = await desk.ask({ type: 'say', text: 'hello' });
// @ts-expect-error
client.agent('other/a');
// @ts-expect-error
void desk.send({ type: 'nothing' });
for await (const item of desk.stream()) if (item.type === 'emitted') document.title = item.event.type;
for await (const token of desk.askStream<string>({ type: 'say', text: 'hello' })) document.title += token;
export const View = () => useAgent(client, 'desk/a').status;
export const isKnown = (error: unknown) => error instanceof GatewayError && error.retryable;
void connect({ url: location.href }).agent('any/one').send({ type: 'anything' });
`;

const config = {
  compilerOptions: {
    target: 'es2024',
    module: 'esnext',
    moduleResolution: 'bundler',
    lib: ['es2024', 'dom', 'dom.iterable'],
    // What a page has no types of Node for, and checks all that it imports.
    types: [],
    skipLibCheck: false,
    strict: true,
    noEmit: true,
  },
  files: ['page.ts'],
};

/** Type-checks a page that uses the client, where nobody knows of Node. */
export function browserProject(): void {
  const project = join(folder, 'browser');
  mkdirSync(project);
  writeFileSync(join(project, 'page.ts'), page);
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config));
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', project], {
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: 60_000,
  });
}
