import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { createRuntime, type AgentRef } from 'holdfast';
import type { Files } from '../agents/clerk.ts';
import { clerkOf, eventOf, hasId, howOf } from './post-plan.ts';

/**
 * A process of its own with clerks in a store: `path, clerks, threads, inFlight`. It prints the files of all clerks, again
 * and again, until it is told what to send on its standard input: `{ next, again }`. Then it sends events from that number
 * on, those with an id that nobody knows the outcome of first, and prints the number of each that was acknowledged.
 */
const [path = '', clerks = '6', maxThreads = '1', inFlight = '4'] = process.argv.slice(2);

const runtime = await createRuntime({
  store: { type: 'sqlite', path },
  agents: {
    clerk: {
      type: 'thread-bound',
      threadId: 'office',
      maxThreads: Number(maxThreads),
      module: new URL('../agents/clerk.ts', import.meta.url),
      mailbox: { capacity: 64 },
      passivateAfterMs: 50,
    },
  },
});
runtime.on('dead-letter', ({ reason, event }) => say({ letter: reason, event }));

interface Told {
  readonly next: number;
  readonly again: readonly number[];
}

function say(line: unknown): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

const refs: AgentRef[] = [];
for (let i = 0; i < Number(clerks); i++) refs.push(await runtime.getOrSpawn('clerk', String(i)));

const input = createInterface(process.stdin)[Symbol.asyncIterator]();
const told = input.next().then(({ value }) => JSON.parse(value as string) as Told);

async function read(): Promise<undefined> {
  const files = await Promise.all(refs.map((ref) => ref.ask({ type: 'read' }) as Promise<Files>));
  say({ files });
  await new Promise((resolve) => setTimeout(resolve, 150));
}

let plan: Told | undefined;
while (plan === undefined) plan = await Promise.race([told, read()]);
let { next } = plan;

async function post(n: number): Promise<void> {
  const ref = refs[clerkOf(n, refs.length)] as AgentRef;
  const event = eventOf(n, refs.length);
  const how = howOf(n);
  say({ sent: n });
  if (hasId(n)) await ref.enqueue(event, { id: `n${n}` });
  else if (how === 'enqueue') await ref.enqueue(event);
  else await ref[how](event);
  say({ acknowledged: n });
}

await Promise.all(plan.again.map((n) => post(n)));
await Promise.all(
  Array.from({ length: Number(inFlight) * refs.length }, async () => {
    for (;;) await post(next++);
  }),
);
