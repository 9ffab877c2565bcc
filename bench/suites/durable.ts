import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRuntime, sqliteStore, type AgentRef, type Runtime } from 'holdfast';
import { rowNamed, type Results } from '../lib/results.ts';
import { besideBig } from './durable-big.ts';
import { opening } from './durable-open.ts';
import { passive } from './durable-passive.ts';
import { measure, percentile, ratio, type Sample, type Variant } from '../lib/rounds.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const module = new URL('../agents/account.ts', import.meta.url);
const ALONE = 500;
const BIG = 64 * 1024;

/** The same accounts with a store under every turn and without one, in one process by turns. */
export async function durable(results: Results, rounds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
  const agents = { account: { type: 'thread-bound', threadId: 'accounts', maxThreads: 1, module } } as const;
  const kept = await createRuntime(
    { agents },
    { logger: silent, store: sqliteStore({ path: join(folder, 'bench.db') }) },
  );
  const fresh = await createRuntime({ agents }, { logger: silent });
  try {
    const [few, fewFresh] = [await accounts(kept, 64), await accounts(fresh, 64)];
    const [many, manyFresh] = [await accounts(kept, 1024), await accounts(fresh, 1024)];
    const pairs = {
      'deliver, 1024 in flight, 64 instances': [few, fewFresh, 'deliver', 1024, 40_000, 0.55],
      'deliver, 1024 in flight, 1024 instances': [many, manyFresh, 'deliver', 1024, 40_000, 0.45],
      'asks, 64 in flight': [few, fewFresh, 'ask', 64, 20_000, 0.45],
      'asks, 16 in flight': [few, fewFresh, 'ask', 16, 8_000, 0.25],
      'asks that only read, 64 in flight': [few, fewFresh, 'read', 64, 20_000, 0.9],
    } as const;
    for (const [what, [durables, plain, call, inFlight, n, atLeast]] of Object.entries(pairs)) {
      await compared(results, rounds, [durables, plain, call, inFlight, n], {
        what,
        title: `${what}, median of ${rounds}`,
        atLeast,
      });
    }
    await alone(results, rounds, few, folder);
    await big(results, rounds, kept, fresh);
  } finally {
    await Promise.all([kept.stop(), fresh.stop()]);
  }
  try {
    await besideBig(results, rounds, join(folder, 'beside.db'));
    await passive(results, rounds, folder);
    await opening(results, rounds, join(folder, 'million.db'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** One ask at a time, beside the least that a disk takes for it. */
async function alone(
  results: Results,
  rounds: number,
  refs: readonly AgentRef[],
  folder: string,
): Promise<void> {
  const file = openSync(join(folder, 'raw'), 'w');
  const block = Buffer.alloc(4096);
  const variants: Record<string, Variant> = {
    'a durable ask': () => timed(async () => void (await refs[0]?.ask({ type: 'add', n: 1 }))),
    'write and fdatasync of 4 KiB': () =>
      timed(() => {
        writeSync(file, block);
        fdatasyncSync(file);
      }),
  };
  const rows = await measure(variants, rounds);
  closeSync(file);
  const base = 'write and fdatasync of 4 KiB';
  results.table({
    suite: 'durable',
    title: `one at a time, p50 of ${ALONE}`,
    unit: 'ms',
    alsoUnit: 'ms',
    base,
    rows,
  });
  const found = ratio(rowNamed(rows, 'a durable ask'), rowNamed(rows, base));
  results.gate('durable', 'a lone durable ask to fdatasync, p50', found, { atMost: 2.2 });
}

/** The same with states of 64 KiB. */
async function big(results: Results, rounds: number, kept: Runtime, fresh: Runtime): Promise<void> {
  const input = { bytes: BIG };
  const [large, plain] = [await accounts(kept, 64, input), await accounts(fresh, 64, input)];
  const pairs = {
    'asks, 16 in flight': ['ask', 16, 4000, 0.25],
    'asks, 64 in flight': ['ask', 64, 8000, 0.45],
    'asks that only read, 64 in flight': ['read', 64, 20_000, 0.9],
    'deliver, 1024 in flight, 64 instances': ['deliver', 1024, 20_000, 0.55],
  } as const;
  for (const [what, [call, inFlight, n, atLeast]] of Object.entries(pairs)) {
    await compared(results, rounds, [large, plain, call, inFlight, n], {
      what: `${what}, 64 KiB`,
      title: `states of 64 KiB: ${what}`,
      atLeast,
    });
  }
}

type Work = Parameters<typeof working>;

/** Durable agents beside others that do the same. */
async function compared(
  results: Results,
  rounds: number,
  [durables, plain, ...work]: [durables: Work[0], ...Work],
  { what, title, atLeast }: { what: string; title: string; atLeast: number },
): Promise<void> {
  const [one, base] = [`durable: ${what}`, `not durable: ${what}`];
  const rows = await measure(
    { [one]: () => working(durables, ...work), [base]: () => working(plain, ...work) },
    rounds,
  );
  results.table({ suite: 'durable', title, unit: 'events/s', base, rows });
  const found = ratio(rowNamed(rows, one), rowNamed(rows, base));
  results.gate('durable', `durable to not durable: ${what}`, found, { atLeast });
}

function accounts(
  runtime: Pick<Runtime, 'spawn'>,
  count: number,
  input?: { readonly bytes: number },
): Promise<AgentRef[]> {
  const spawns = Array.from({ length: count }, (_, i) =>
    runtime.spawn('account', {
      id: `${count}-${input?.bytes ?? 0}-${i}`,
      ...(input && { input }),
    }),
  );
  return Promise.all(spawns);
}

/** `n` events over all instances in turn, each of which is counted by its answer or by being handled. */
async function working(
  refs: readonly AgentRef[],
  call: 'ask' | 'deliver' | 'read',
  inFlight: number,
  n: number,
): Promise<number> {
  let next = 0;
  let last = 0;
  const lane = async (): Promise<void> => {
    while (next < n) {
      const i = next++;
      const ref = refs[i % refs.length] as AgentRef;
      if (call === 'deliver') await ref.deliver({ type: 'add', n: i });
      else {
        const answer: unknown = await ref.ask({ type: call === 'read' ? 'read' : 'add', n: i });
        if (typeof answer !== 'number') throw new Error(`ask ${i} was answered ${String(answer)}`);
      }
      last += 1;
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: inFlight }, lane));
  const tookMs = performance.now() - began;
  if (last !== n) throw new Error(`${last} of ${n} came`);
  return (n / tookMs) * 1000;
}

async function timed(run: () => unknown): Promise<Sample> {
  const times: number[] = [];
  for (let i = 0; i < ALONE; i++) {
    const began = performance.now();
    await run();
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  return { value: percentile(times, 0.5), also: { p99: percentile(times, 0.99) } };
}
