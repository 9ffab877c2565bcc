import { createRuntime, type AgentRef, type Runtime, type RuntimeOptions } from 'holdfast';
import { kinds, type Kind } from '../agents/local.ts';
import { ACTORS, BURST, type Ask, type Sender } from './load.ts';

const modules: Readonly<Record<Kind, URL>> = {
  transition: new URL('../agents/counter.ts', import.meta.url),
  machine: new URL('../agents/counter-machine.ts', import.meta.url),
  callback: new URL('../agents/counter-callback.ts', import.meta.url),
};

/** Holdfast with the counting agents, each kind in a pool of its own. */
export interface Fleet {
  readonly refs: Readonly<Record<Kind, readonly AgentRef[]>>;
  ask(kind: Kind): Ask;
  sender(kind: Kind, instances?: number): Sender;
  readonly runtime: Runtime;
  stop(): Promise<void>;
}

/** Default settings throughout, as a first program would have them. */
export async function startFleet(threads: number, options: RuntimeOptions = {}): Promise<Fleet> {
  const names = Object.keys(kinds) as Kind[];
  const runtime = await createRuntime(
    {
      agents: Object.fromEntries(
        names.map((kind) => [
          kind,
          { type: 'thread-bound' as const, threadId: kind, maxThreads: threads, module: modules[kind] },
        ]),
      ),
    },
    options,
  );
  const refs = { transition: [], machine: [], callback: [] } as Record<Kind, AgentRef[]>;
  for (const kind of names) {
    for (let id = 0; id < ACTORS; id++) refs[kind].push(await runtime.spawn(kind, { id: String(id) }));
    const used = new Set(refs[kind].map(({ thread }) => thread)).size;
    if (used !== threads) throw new Error(`${kind} runs on ${used} threads instead of ${threads}`);
  }
  return {
    refs,
    ask: (kind) => {
      const all = refs[kind];
      return (to, event) => (all[to] as AgentRef).ask(event);
    },
    sender: (kind, instances = ACTORS) =>
      senderTo(refs[kind].slice(0, instances), () => runtime.deadLetters.list()),
    runtime,
    stop: () => runtime.stop(),
  };
}

/** One way to those instances in turn; what went to the dead letters ends the run. */
export function senderTo(refs: readonly AgentRef[], letters: () => readonly unknown[]): Sender {
  const count = refs.length;
  return {
    send: (to, n, last) => {
      const ref = refs[to % count] as AgentRef;
      const event = { type: 'tick', n };
      // The last of a burst is a delivery: it tells how far the thread has come.
      if (last) return ref.deliver(event);
      ref.send(event);
      return undefined;
    },
    total: async () => {
      const lost = letters().length;
      if (lost > 0) throw new Error(`${lost} dead letters`);
      const counts = await Promise.all(refs.map((ref) => ref.ask({ type: 'read' }, { timeoutMs: 60_000 })));
      return (counts as number[]).reduce((sum, count) => sum + count, 0);
    },
  };
}

/** What a mailbox of default capacity holds without a dead letter, in whole bursts. */
export const ONE_MAILBOX = 3 * BURST;
