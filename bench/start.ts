import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { createRuntime, type AgentRef } from 'holdfast';
import { peerNames, startPeer } from './peers.ts';
import { type Results } from './results.ts';
import { measure, type Variant } from './rounds.ts';

const COUNTER = new URL('./agents/counter.ts', import.meta.url);
const SPAWNS = 1000;
/** Instances of the memory measurement. */
const IDLE = 10_000;

/** How fast instances and threads come up, and what they weigh. */
export async function start(results: Results, rounds: number): Promise<void> {
  await spawnRate(results, rounds);
  for (const threads of [1, 8]) await coldStart(results, rounds, threads);
  await memory(results, rounds);
}

async function spawnRate(results: Results, rounds: number): Promise<void> {
  const raw = new Worker(new URL('./raw/spawn-worker.ts', import.meta.url));
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

async function coldStart(results: Results, rounds: number, threads: number): Promise<void> {
  const variants: Record<string, Variant> = {
    'bare workers': () => timed(() => bareWorkers(threads, 'empty-worker.ts')),
    'bare workers that import xstate and comlink': () =>
      timed(() => bareWorkers(threads, 'importing-worker.ts')),
    holdfast: () => timed(() => holdfastThreads(threads)),
    ...Object.fromEntries(
      peerNames
        .filter((name) => name !== 'piscina, 64 tasks a thread')
        .map((name) => [name, () => timed(() => peerThreads(name, threads))]),
    ),
  };
  results.table({
    suite: 'start',
    title: `from nothing to a reply of each of ${threads} threads, median of ${rounds}`,
    unit: 'ms',
    base: 'bare workers',
    rows: await measure(variants, rounds),
  });
}

/** Milliseconds until `begin` is through; what it started is stopped outside the measurement. */
async function timed(begin: () => Promise<() => Promise<unknown>>): Promise<number> {
  const started = performance.now();
  const stop = await begin();
  const took = performance.now() - started;
  await stop();
  return took;
}

async function bareWorkers(threads: number, file: string): Promise<() => Promise<unknown>> {
  const workers = Array.from(
    { length: threads },
    () => new Worker(new URL(`./raw/${file}`, import.meta.url)),
  );
  await Promise.all(
    workers.map(async (worker) => {
      worker.postMessage('hello');
      await once(worker, 'message');
    }),
  );
  return () => Promise.all(workers.map((worker) => worker.terminate()));
}

async function holdfastThreads(threads: number): Promise<() => Promise<unknown>> {
  const runtime = await createRuntime(oneAgent(threads));
  const ids = Array.from({ length: threads }, (_, id) => String(id));
  const refs: AgentRef[] = await Promise.all(ids.map((id) => runtime.spawn('counter', { id })));
  await Promise.all(refs.map((ref) => ref.ask({ type: 'read' })));
  const used = new Set(refs.map(({ thread }) => thread)).size;
  if (used !== threads) throw new Error(`${used} threads answered instead of ${threads}`);
  return () => runtime.stop();
}

async function peerThreads(
  name: (typeof peerNames)[number],
  threads: number,
): Promise<() => Promise<unknown>> {
  const pool = await startPeer(name, threads);
  await Promise.all(Array.from({ length: threads }, (_, n) => pool.run({ type: 'add', n })));
  return pool.stop;
}

const run = promisify(execFile);

/** Each figure from a process of its own: what a process has once had, it does not give back. */
async function memory(results: Results, rounds: number): Promise<void> {
  const file = fileURLToPath(new URL('./weigh.ts', import.meta.url));
  const weigh = (what: string, count: number) => async (): Promise<number> => {
    const args = ['--expose-gc', '-C', 'holdfast-source', file, what, String(count)];
    const { stdout } = await run(process.execPath, args);
    return Number(stdout);
  };
  results.table({
    suite: 'start',
    title: `resident memory of one thread of eight, idle, median of ${rounds}`,
    unit: 'MB',
    base: 'bare worker',
    rows: await measure(
      {
        'bare worker': weigh('bare', 8),
        'bare worker that imports xstate and comlink': weigh('importing', 8),
        'holdfast thread with one instance': weigh('holdfast', 8),
      },
      rounds,
      { warmUp: false },
    ),
  });
  results.table({
    suite: 'start',
    title: `memory of one idle instance of ${IDLE} (fromTransition), median of ${rounds}`,
    unit: 'KB',
    base: "XState's createActor, no thread: heap",
    rows: await measure(
      {
        "XState's createActor, no thread: heap": weigh('actors-heap', IDLE),
        "XState's createActor, no thread: resident": weigh('actors', IDLE),
        'holdfast, host and thread: resident': weigh('instances', IDLE),
        "holdfast, the host's part: heap": weigh('instances-heap', IDLE),
      },
      rounds,
      { warmUp: false },
    ),
  });
}
