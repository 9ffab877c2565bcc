import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { extname } from 'node:path';
import { createRuntime } from '../../runtime.ts';

/** Rounds of which the median is shown; one before them warms up. */
const ROUNDS = 5;
/** How long one figure is measured in a round. */
const MEASURE_MS = 150;
/** Asks, or events, on their way at one time. */
const MANY = 64;
/** No answer takes that long, unless something is broken. */
const LATE_MS = 10_000;

/** A figure over the rounds. */
export interface Measured {
  readonly name: string;
  readonly unit: 'ms' | 'asks/s' | 'events/s';
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** To the bare worker, round by round; absent where there is nothing to compare with. */
  readonly ratio?: number;
}

const extension = extname(import.meta.url);
const agent = new URL(`./agent${extension}`, import.meta.url);
const bare = new URL(`./bare-worker${extension}`, import.meta.url);

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** What this machine does with an agent in a thread, beside a worker without Holdfast. Every answer is checked and counted. */
export async function measure(): Promise<Measured[]> {
  const samples: Record<'start' | 'one' | 'bare' | 'many' | 'events', number[]> = {
    start: [],
    one: [],
    bare: [],
    many: [],
    events: [],
  };
  for (let round = -1; round < ROUNDS; round += 1) {
    const found = { ...(await ofHoldfast()), bare: await ofBareWorker() };
    if (round < 0) continue;
    for (const [name, value] of Object.entries(found)) samples[name as keyof typeof samples].push(value);
  }
  return [
    row('from nothing to the answer of an agent in a thread', 'ms', samples.start),
    row('bare worker: a message and its answer', 'asks/s', samples.bare, samples.bare),
    row('one ask after the other', 'asks/s', samples.one, samples.bare),
    row(`${MANY} asks at a time`, 'asks/s', samples.many, samples.bare),
    row('events, one way', 'events/s', samples.events, samples.bare),
  ];
}

async function ofHoldfast(): Promise<Record<'start' | 'one' | 'many' | 'events', number>> {
  const started = performance.now();
  const config = {
    agents: { measured: { type: 'thread-bound', threadId: 'measured', maxThreads: 1, module: agent } },
  } as const;
  const runtime = await createRuntime(config, { logger: silent });
  try {
    const ref = await runtime.spawn('measured');
    let handled = 0;
    const ask = async (n: number): Promise<void> => {
      const answer = await ref.ask({ type: 'add', n }, { timeoutMs: LATE_MS });
      if (answer !== n) throw new Error(`${String(answer)} came where ${n} was asked for`);
      handled += 1;
    };
    await ask(0);
    const start = performance.now() - started;
    const one = await perSecond(1, ask);
    const many = await perSecond(MANY, ask);
    const events = await perSecond(1, async () => {
      for (let n = 1; n < MANY; n += 1) ref.send({ type: 'tick', n });
      await ref.deliver({ type: 'tick', n: 0 }, { timeoutMs: LATE_MS });
      handled += MANY;
    });
    const counted = await ref.ask({ type: 'count', n: 0 }, { timeoutMs: LATE_MS });
    if (counted !== handled) throw new Error(`${String(counted)} of ${handled} events were handled`);
    return { start, one, many, events: events * MANY };
  } finally {
    await runtime.stop();
  }
}

async function ofBareWorker(): Promise<number> {
  const worker = new Worker(bare);
  try {
    return await perSecond(1, async (n) => {
      worker.postMessage(n);
      const [answer] = (await once(worker, 'message')) as [number];
      if (answer !== n) throw new Error(`${answer} came where ${n} was sent`);
    });
  } finally {
    await worker.terminate();
  }
}

async function perSecond(lanes: number, run: (n: number) => Promise<void>): Promise<number> {
  const started = performance.now();
  let done = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() - started < MEASURE_MS) await run((done += 1));
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return (done * 1000) / (performance.now() - started);
}

function row(
  name: string,
  unit: Measured['unit'],
  values: readonly number[],
  base?: readonly number[],
): Measured {
  const spread = { name, unit, median: median(values), min: Math.min(...values), max: Math.max(...values) };
  if (base === undefined) return spread;
  return { ...spread, ratio: median(values.map((value, n) => value / (base[n] ?? Number.NaN))) };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
