// Run in a process of its own by the suite `start`: prints what one of so many things weighs.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { createActor } from 'xstate';
import { createRuntime } from 'holdfast';
import counter from './agents/counter.ts';

const MB = 2 ** 20;
const [what = '', countText = ''] = process.argv.slice(2);
const count = Number(countText);
/** Kept, so that nothing of it is collected. */
const kept: unknown[] = [];

const memory = async (kind: 'rss' | 'heapUsed'): Promise<number> => {
  for (let i = 0; i < 4; i++) {
    (globalThis as { gc?: () => void }).gc?.();
    await sleep(50);
  }
  return process.memoryUsage()[kind];
};

const workers = async (file: string): Promise<void> => {
  for (let i = 0; i < count; i++) {
    const worker = new Worker(new URL(`./raw/${file}`, import.meta.url));
    worker.postMessage('hello');
    await once(worker, 'message');
    kept.push(worker);
  }
};

const runtimeWith = (maxThreads: number) =>
  createRuntime({
    agents: {
      counter: {
        type: 'thread-bound',
        threadId: 'counters',
        maxThreads,
        module: new URL('./agents/counter.ts', import.meta.url),
      },
    },
  });

const createActors = async (): Promise<void> => {
  for (let i = 0; i < count; i++) kept.push(createActor(counter).start());
};

interface Case {
  readonly kind: 'rss' | 'heapUsed';
  readonly unit: number;
  /** What comes before the first measurement. */
  readonly prepare?: () => Promise<(id: string) => Promise<unknown>>;
  readonly make: (spawn?: (id: string) => Promise<unknown>) => Promise<void>;
}

const spawnAll = async (spawn?: (id: string) => Promise<unknown>): Promise<void> => {
  for (let id = 0; id < count; id++) kept.push(await spawn?.(String(id)));
};
const oneThread = async () => {
  const runtime = await runtimeWith(1);
  await runtime.spawn('counter', { id: 'first' });
  return (id: string) => runtime.spawn('counter', { id });
};
const noThread = async () => {
  const runtime = await runtimeWith(count);
  return (id: string) => runtime.spawn('counter', { id });
};

const cases: Readonly<Record<string, Case>> = {
  bare: { kind: 'rss', unit: MB, make: () => workers('empty-worker.ts') },
  importing: { kind: 'rss', unit: MB, make: () => workers('importing-worker.ts') },
  holdfast: { kind: 'rss', unit: MB, prepare: noThread, make: spawnAll },
  actors: { kind: 'rss', unit: 1024, make: createActors },
  'actors-heap': { kind: 'heapUsed', unit: 1024, make: createActors },
  instances: { kind: 'rss', unit: 1024, prepare: oneThread, make: spawnAll },
  'instances-heap': { kind: 'heapUsed', unit: 1024, prepare: oneThread, make: spawnAll },
};

const chosen = cases[what];
if (chosen === undefined)
  throw new Error(`cannot weigh "${what}"; there is ${Object.keys(cases).join(', ')}`);
const spawn = await chosen.prepare?.();
const before = await memory(chosen.kind);
await chosen.make(spawn);
const after = await memory(chosen.kind);
console.log(((after - before) / count / chosen.unit).toFixed(3));
process.exit();
