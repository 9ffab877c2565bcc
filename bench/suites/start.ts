import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { createRuntime } from 'holdfast';
import { build } from '../lib/build.ts';
import { installPeers } from '../lib/peers.ts';
import type { Results } from '../lib/results.ts';
import { measure, rowOf, type Row, type Variant } from '../lib/rounds.ts';

const COUNTER = new URL('../agents/counter.ts', import.meta.url);
const SPAWNS = 1000;
/** Instances of the memory measurement. */
const IDLE = 10_000;

/** How fast instances and threads come up, and what they weigh. */
export async function start(results: Results, rounds: number): Promise<void> {
  await spawnRate(results, rounds);
  installPeers();
  build();
  await threadStarts(results, rounds);
  await idleInstances(results, rounds);
}

async function spawnRate(results: Results, rounds: number): Promise<void> {
  const raw = new Worker(new URL('../raw/spawn-worker.ts', import.meta.url));
  await once(raw, 'message');
  const variants: Record<string, Variant> = {
    'raw worker: create and start an actor, reply': () => rawSpawns(raw, SPAWNS),
    'holdfast spawn, one after the other': () => spawns(1),
    'holdfast spawn, 64 at a time': () => spawns(64),
  };
  results.table({
    suite: 'start',
    title: `spawn ${SPAWNS} instances (fromTransition) into a warm thread, until each runs, median of ${rounds}`,
    unit: 'instances/s',
    base: 'raw worker: create and start an actor, reply',
    rows: await measure(variants, rounds),
  });
  await raw.terminate();
}

async function spawns(atATime: number): Promise<number> {
  await using runtime = await createRuntime(oneAgent(1));
  await runtime.spawn('counter', { id: 'first' });
  let begun = 0;
  const lane = async (): Promise<void> => {
    while (begun < SPAWNS) await runtime.spawn('counter', { id: String(begun++) });
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: atATime }, lane));
  const rate = (SPAWNS * 1000) / (performance.now() - started);
  const running = runtime.status().instances.length;
  if (running !== SPAWNS + 1) throw new Error(`${running} instances run instead of ${SPAWNS + 1}`);
  return rate;
}

async function rawSpawns(raw: Worker, count: number): Promise<number> {
  const started = performance.now();
  for (let i = 0; i < count; i++) {
    raw.postMessage(i);
    const [answer] = (await once(raw, 'message')) as [number];
    if (answer !== i) throw new Error(`${answer} was spawned instead of ${i}`);
  }
  return (count * 1000) / (performance.now() - started);
}

const oneAgent = (maxThreads: number) => ({
  agents: {
    counter: { type: 'thread-bound' as const, threadId: 'counters', maxThreads, module: COUNTER },
  },
});

/** What `alone/measure.mjs` prints. */
interface Alone {
  readonly ms: number;
  /** Bytes for each. */
  readonly rss: number;
  readonly heap: number;
}

/** From source, types are stripped when a thread loads a file; the published package is plain JavaScript. */
const SOURCE = ['-C', 'holdfast-source'];

const run = promisify(execFile);

/** A figure from a process of its own: nothing is loaded, and no memory was had and kept. */
async function alone(what: string, count: number, flags: readonly string[] = []): Promise<Alone> {
  const file = fileURLToPath(new URL('../alone/measure.mjs', import.meta.url));
  const args = ['--expose-gc', ...flags, file, what, String(count)];
  const { stdout } = await run(process.execPath, args, { timeout: 60_000 });
  return JSON.parse(stdout) as Alone;
}

const threadsBeside: Readonly<Record<string, readonly [what: string, flags?: readonly string[]]>> = {
  'bare workers': ['bare'],
  'bare workers that import xstate and comlink': ['importing'],
  'holdfast, as published': ['holdfast'],
  'holdfast, from source': ['holdfast', SOURCE],
  piscina: ['peer-piscina'],
  tinypool: ['peer-tinypool'],
  poolifier: ['peer-poolifier'],
  comedy: ['peer-comedy'],
};

async function threadStarts(results: Results, rounds: number): Promise<void> {
  for (const threads of [1, 8]) {
    const seen: Record<string, Alone[]> = {};
    for (let round = -1; round < rounds; round++) {
      for (const [name, [what, flags]] of Object.entries(threadsBeside)) {
        const one = await alone(what, threads, flags);
        if (round >= 0) (seen[name] ??= []).push(one);
      }
    }
    const table = { suite: 'start', base: 'bare workers' } as const;
    const rows = (of: (one: Alone) => number): Row[] =>
      Object.entries(seen).map(([name, all]) =>
        rowOf(
          name,
          all.map((one) => ({ value: of(one) })),
        ),
      );
    results.table({
      ...table,
      title: `from nothing to a reply of ${threads === 1 ? 'one thread' : `each of ${threads} threads`}, a process each, median of ${rounds}`,
      unit: 'ms',
      rows: rows(({ ms }) => ms),
    });
    if (threads === 1) continue;
    results.table({
      ...table,
      title: `resident memory that one of ${threads} idle threads adds, a process each, median of ${rounds}`,
      unit: 'MB',
      rows: rows(({ rss }) => rss / 2 ** 20),
    });
  }
}

async function idleInstances(results: Results, rounds: number): Promise<void> {
  const variant = (what: string, kind: 'rss' | 'heap') => async (): Promise<number> =>
    (await alone(what, IDLE))[kind] / 1024;
  results.table({
    suite: 'start',
    title: `memory that one of ${IDLE} idle instances adds (fromTransition), a process each, median of ${rounds}`,
    unit: 'KB',
    base: "XState's createActor, no thread: resident",
    rows: await measure(
      {
        "XState's createActor, no thread: resident": variant('actors', 'rss'),
        'holdfast, host and thread: resident': variant('instances', 'rss'),
        "XState's createActor, no thread: heap": variant('actors', 'heap'),
        "holdfast, the host's part: heap": variant('instances', 'heap'),
      },
      rounds,
      { warmUp: false },
    ),
  });
}
