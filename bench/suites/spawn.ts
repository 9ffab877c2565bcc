import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createRuntime, type AgentRef, type Runtime } from 'holdfast';
import { alone } from '../lib/alone.ts';
import { build } from '../lib/build.ts';
import { senderTo } from '../lib/fleet.ts';
import { sending, type Sender } from '../lib/load.ts';
import {
  byTurns,
  cpuRatio,
  measure,
  ratio,
  rowOf,
  stopwatch,
  type Row,
  type Sample,
  type Variant,
} from '../lib/rounds.ts';
import { rowNamed, type Results } from '../lib/results.ts';

const COUNTER = new URL('../agents/counter.ts', import.meta.url);
const SPAWNS = 2000;
const AT_A_TIME = 64;
/** Until then, no code is as fast as it gets. */
const WARM_UP = 4;
const FEW = 1000;
const MANY = 50_000;
const EVENTS = 50_000;
/** Between the two counts of the memory measurement: more than what V8 keeps at hand. */
const IDLE = [10_000, 40_000] as const;
const BURSTS = [6, 5000] as const;

/** How fast instances come, what they weigh, and what it costs others that there are many. */
export async function spawn(results: Results, rounds: number): Promise<void> {
  await spawnRates(results, rounds);
  await eventsAmongMany(results, rounds);
  await weights(results, rounds);
}

export async function spawnRates(results: Results, rounds: number): Promise<void> {
  const raw = new Worker(new URL('../raw/spawn-worker.ts', import.meta.url));
  await once(raw, 'message');
  const [one, two] = [await warm(1), await warm(2)];
  const [raw1, raw64] = ['raw worker, one in flight', `raw worker, ${AT_A_TIME} in flight`];
  const [alone, on1, on2] = ['one after the other', '1 thread', '2 threads'].map((how) =>
    how === 'one after the other' ? `holdfast, ${how}` : `holdfast, ${AT_A_TIME} at a time, ${how}`,
  ) as [string, string, string];
  const variants: Record<string, Variant> = {
    [raw1]: () => rawSpawns(raw, 1),
    [raw64]: () => rawSpawns(raw, AT_A_TIME),
    [alone]: () => spawns(one, 1),
    [on1]: () => spawns(one, AT_A_TIME),
    [on2]: () => spawns(two, AT_A_TIME),
  };
  const rows = await measure(variants, rounds, { warmUp: WARM_UP });
  results.table({
    suite: 'spawn',
    title: `spawn ${SPAWNS} instances (fromTransition) into warm threads, until each runs, median of ${rounds}`,
    unit: 'instances/s',
    base: raw1,
    rows,
  });
  const of = (name: string) => rowNamed(rows, name);
  results.note('spawn', `${on1}, to a raw worker with ${AT_A_TIME} in flight`, ratio(of(on1), of(raw64)));
  results.note('spawn', `processor time, ${alone}, raw to holdfast`, cpuRatio(of(raw1), of(alone)));
  results.note('spawn', 'processor time on 2 threads, to 1', cpuRatio(of(on2), of(on1)));
  await Promise.all([raw.terminate(), one.stop(), two.stop()]);
}

/** A runtime whose threads run, each with an instance. */
async function warm(threads: number): Promise<Runtime> {
  const runtime = await createRuntime(
    {
      agents: {
        counter: { type: 'thread-bound', threadId: 'counters', maxThreads: threads, module: COUNTER },
      },
    },
    // A build whose stop loses some has a line for each.
    { logger: { debug() {}, info() {}, warn() {}, error() {} } },
  );
  const first: AgentRef[] = [];
  for (let i = 0; i < threads; i++) first.push(await runtime.spawn('counter', { id: `first-${i}` }));
  const used = new Set(first.map(({ thread }) => thread)).size;
  if (used !== threads) throw new Error(`${used} threads run instead of ${threads}`);
  return runtime;
}

/** Instances that are stopped again when it was measured how they came. */
async function spawns(runtime: Runtime, atATime: number): Promise<Sample> {
  const refs: AgentRef[] = [];
  const measured = stopwatch();
  await eachOf(SPAWNS, atATime, async (id) => {
    refs.push(await runtime.spawn('counter', { id: String(id) }));
  });
  const rate = measured(SPAWNS);
  if (refs.length !== SPAWNS) throw new Error(`${refs.length} instances run instead of ${SPAWNS}`);
  await eachOf(SPAWNS, AT_A_TIME, (i) => (refs[i] as AgentRef).stop());
  return rate;
}

async function rawSpawns(raw: Worker, inFlight: number): Promise<Sample> {
  let answered = 0;
  let begun = 0;
  const measured = stopwatch();
  const rate = await new Promise<Sample>((resolve, reject) => {
    const heard = (n: unknown): void => {
      if (n !== answered) reject(new Error(`${String(n)} was spawned instead of ${answered}`));
      answered += 1;
      if (begun < SPAWNS) raw.postMessage(begun++);
      if (answered < SPAWNS) return;
      raw.off('message', heard);
      resolve(measured(SPAWNS));
    };
    raw.on('message', heard);
    while (begun < inFlight) raw.postMessage(begun++);
  });
  raw.postMessage('forget');
  await once(raw, 'message');
  return rate;
}

async function eachOf(count: number, atATime: number, run: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await run(next++);
  };
  await Promise.all(Array.from({ length: atATime }, lane));
}

/** Events to a thousand instances, all that there are or a few of many. */
export async function eventsAmongMany(results: Results, rounds: number): Promise<void> {
  const runtimes = [await warm(1), await warm(1)] as const;
  const senders = await Promise.all([sender(runtimes[0], FEW), sender(runtimes[1], MANY)]);
  const [few, many] = [FEW, MANY].map((alive) => `${alive} alive`) as [string, string];
  const to = (i: 0 | 1): Promise<Sample> => sending(senders[i], { limit: EVENTS, forMs: Infinity });
  const rows = await measure({ [few]: () => to(0), [many]: () => to(1) }, rounds, { warmUp: WARM_UP });
  results.table({
    suite: 'spawn',
    title: `events one way to ${FEW} instances of those that are alive, ${EVENTS} events, median of ${rounds}`,
    unit: 'events/s',
    base: few,
    rows,
  });
  const found = cpuRatio(rowNamed(rows, many), rowNamed(rows, few));
  results.note('spawn', `processor time of an event with ${MANY} alive, to ${FEW}`, found);
  for (const runtime of runtimes) await runtime.stop({ timeoutMs: 60_000 });
}

async function sender(runtime: Runtime, alive: number): Promise<Sender> {
  const refs: AgentRef[] = [];
  await eachOf(alive, AT_A_TIME, async (i) => {
    const ref = await runtime.spawn('counter', { id: String(i) });
    if (i % (alive / FEW) === 0) refs.push(ref);
  });
  const all = senderTo(refs, () => runtime.deadLetters.list());
  return { ...all, send: (_to, n, last) => all.send(n, n, last) };
}

/** What one of the processes prints, in bytes. */
type Weights = Readonly<Record<'resident' | 'host' | 'thread', number>>;

/** What an idle instance weighs, and what is kept of those that are gone. */
export async function weights(results: Results, rounds: number): Promise<void> {
  build();
  const processes = {
    actors: () => alone('instances', ['actors', ...IDLE]) as Promise<Weights>,
    idle: () => alone('instances', ['idle', ...IDLE]) as Promise<Weights>,
    bursts: () => alone('instances', ['bursts', ...BURSTS]) as Promise<Weights>,
  };
  const all = await byTurns(processes, rounds, { warmUp: 0 });
  const row = (name: string, of: readonly Weights[] = [], what: keyof Weights, unit: number): Row =>
    rowOf(
      name,
      of.map((one) => ({ value: one[what] / unit })),
    );
  const base = "XState's createActor, no thread: heap";
  if (all['idle'] !== undefined && all['actors'] !== undefined)
    results.table({
      suite: 'spawn',
      title: `memory of an idle instance (fromTransition), by the slope from ${IDLE.join(' to ')}, a process each, median of ${rounds}`,
      unit: 'KB',
      base,
      rows: [
        row(base, all['actors'], 'host', 1024),
        row("XState's createActor, no thread: resident", all['actors'], 'resident', 1024),
        row("holdfast, the host's part: heap", all['idle'], 'host', 1024),
        row("holdfast, the thread's part: heap", all['idle'], 'thread', 1024),
        row('holdfast, host and thread: resident', all['idle'], 'resident', 1024),
      ],
    });
  if (all['bursts'] !== undefined)
    results.table({
      suite: 'spawn',
      title: `memory kept after ${BURSTS[0]} times ${BURSTS[1]} were spawned and stopped, a process each, median of ${rounds}`,
      unit: 'MB',
      base: 'resident',
      rows: [
        row('resident', all['bursts'], 'resident', 2 ** 20),
        row("the host's heap", all['bursts'], 'host', 2 ** 20),
      ],
    });
}
