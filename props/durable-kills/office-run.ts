import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { createRuntime, type AgentRef } from 'holdfast';
import type { Files } from '../agents/clerk.ts';
import { ON_A_BUSY_MACHINE } from '../busy-machine.ts';
import { CLERKS, clerkOf, eventOf, hasId, howOf, waitOf } from './plan.ts';

/**
 * A process of its own with clerks in a store: `path, threads, inFlight, asleepMs`. For so long it lets wake who wakes by
 * itself. Then it prints the files of all clerks, again and again, until it is told on its standard input what to send.
 */
const [path = '', maxThreads = '1', inFlight = '4', asleepMs = '0'] = process.argv.slice(2);

/** Milliseconds for what a busy machine does late. */
const WAIT = { timeoutMs: 60_000 };

/** What to send: what nobody knows the outcome of and has an id, what is known and has one, and then from a number on. */
export interface Told {
  readonly again: readonly number[];
  readonly repeated: readonly number[];
  readonly next: number;
}

/** A line of what the process prints. */
export type Line =
  | { readonly files: readonly Files[] }
  | { readonly sent: number }
  | { readonly acknowledged: number; readonly answer?: unknown }
  /** There was no room for it: it was not handled, and never will be. */
  | { readonly refused: number }
  | { readonly letter: string; readonly event: unknown }
  | { readonly happened: 'woke' | 'passive' };

/** Is written before it goes on, also while nobody reads. */
function say(line: Line): void {
  const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

const logger = { debug() {}, info() {}, warn() {}, error: console.error };
const runtime = await createRuntime(
  {
    store: { type: 'sqlite', path },
    agents: {
      clerk: {
        type: 'thread-bound',
        threadId: 'office',
        maxThreads: Number(maxThreads),
        module: new URL('../agents/clerk.ts', import.meta.url),
        mailbox: { capacity: 6 },
        passivateAfterMs: 50,
      },
    },
    threads: { office: { ...ON_A_BUSY_MACHINE, maxResident: 12 } },
  },
  { logger },
);
let isAsked = false;
runtime.on('dead-letter', ({ reason, event }) => say({ letter: reason, event }));
runtime.on('agent', ({ state }) => {
  if (state === 'passive') say({ happened: 'passive' });
  if (state === 'running' && !isAsked) say({ happened: 'woke' });
});
// A machine that was long about the start is long about waking too.
await pause(asleepMs === '0' ? 0 : Math.max(Number(asleepMs), 2 * performance.now()));
isAsked = true;

const refs: AgentRef[] = [];
for (let i = 0; i < CLERKS; i++)
  refs.push(await runtime.getOrSpawn('clerk', String(i), { input: { deeds: `${path}.deeds` } }));

const input = createInterface(process.stdin)[Symbol.asyncIterator]();
const told = input.next().then(({ value }) => JSON.parse(value as string) as Told);

async function read(): Promise<undefined> {
  try {
    const files = await Promise.all(refs.map((ref) => ref.ask({ type: 'read' }, WAIT) as Promise<Files>));
    say({ files });
  } catch (error) {
    // What waits in the store, or what it was told to send meanwhile, has the room.
    if ((error as { code?: unknown }).code !== 'MAILBOX_FULL') throw error;
  }
  await pause(100);
}

let plan: Told | undefined;
while (plan === undefined) plan = await Promise.race([told, read()]);
let { next } = plan;

async function post(n: number): Promise<void> {
  const ref = refs[clerkOf(n)] as AgentRef;
  const [event, how, waits] = [eventOf(n), howOf(n), waitOf(n)];
  const named = hasId(n) ? { id: `n${n}` } : {};
  say({ sent: n });
  try {
    if (waits > 0) await ref.enqueue(event, { ...named, ...WAIT, at: Date.now() + waits });
    const answer = waits > 0 ? undefined : await ref[how](event, { ...named, ...WAIT });
    say({ acknowledged: n, ...(how === 'ask' && waits === 0 && { answer }) });
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'MAILBOX_FULL') throw error;
    say({ refused: n });
  }
}

await Promise.all([...plan.again, ...plan.repeated].map((n) => post(n)));
await Promise.all(
  Array.from({ length: Number(inFlight) }, async () => {
    for (;;) await post(next++);
  }),
);
