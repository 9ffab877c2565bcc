import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRuntime, sqliteStore, type AgentRef, type Runtime } from 'holdfast';
import { compared, spawned } from '../lib/compared.ts';
import { rowNamed, type Results } from '../lib/results.ts';
import { betweenDurable } from './durable-between.ts';
import { besideBig } from './durable-big.ts';
import { opening } from './durable-open.ts';
import { passive } from './durable-passive.ts';
import { ofSize } from './durable-sizes.ts';
import { timers } from './durable-timers.ts';
import { measure, percentile, ratio, type Sample, type Variant } from '../lib/rounds.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const ALONE = 500;

/** The same accounts with a store under every turn and without one, in one process by turns. */
export async function durable(results: Results, rounds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
  try {
    await withAccounts(folder, async (kept, fresh) => {
      const few = await pairs(results, rounds, kept, fresh);
      await alone(results, rounds, few, folder);
      await ofSize(results, rounds, kept, fresh);
    });
    await betweenDurable(results, rounds, join(folder, 'between.db'));
    await besideBig(results, rounds, join(folder, 'beside.db'));
    await passive(results, rounds, folder);
    await timers(results, rounds, folder);
    await opening(results, rounds, join(folder, 'million.db'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Turns alone. */
export async function besideFresh(results: Results, rounds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
  try {
    await withAccounts(folder, async (kept, fresh) => void (await pairs(results, rounds, kept, fresh)));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A runtime with a store, and one without. */
async function withAccounts(
  folder: string,
  run: (kept: Runtime, fresh: Runtime) => Promise<void>,
): Promise<void> {
  const pool = { type: 'thread-bound', threadId: 'accounts', maxThreads: 1 } as const;
  const agents = {
    account: { ...pool, module: new URL('../agents/account.ts', import.meta.url) },
    register: { ...pool, module: new URL('../agents/register.ts', import.meta.url) },
  };
  const kept = await createRuntime(
    { agents },
    { logger: silent, store: sqliteStore({ path: join(folder, 'bench.db') }) },
  );
  const fresh = await createRuntime({ agents }, { logger: silent });
  try {
    await run(kept, fresh);
  } finally {
    await Promise.all([kept.stop(), fresh.stop()]);
  }
}

/** The durable ones of a few are given back. */
async function pairs(
  results: Results,
  rounds: number,
  kept: Runtime,
  fresh: Runtime,
): Promise<readonly AgentRef[]> {
  const [few, fewFresh] = [await spawned(kept, 'account', 64), await spawned(fresh, 'account', 64)];
  const [many, manyFresh] = [await spawned(kept, 'account', 1024), await spawned(fresh, 'account', 1024)];
  const all = {
    'deliver, 1024 in flight, 64 instances': [few, fewFresh, 'deliver', 1024, 40_000, 0.55],
    'deliver, 1024 in flight, 1024 instances': [many, manyFresh, 'deliver', 1024, 40_000, 0.45],
    'asks, 64 in flight': [few, fewFresh, 'ask', 64, 20_000, 0.45],
    'asks, 16 in flight': [few, fewFresh, 'ask', 16, 8_000, 0.25],
    'asks that only read, 64 in flight': [few, fewFresh, 'read', 64, 20_000, 0.9],
  } as const;
  for (const [what, [durables, plain, call, inFlight, n, atLeast]] of Object.entries(all)) {
    await compared(results, rounds, [durables, plain, call, inFlight, n], {
      what,
      title: `${what}, median of ${rounds}`,
      atLeast,
    });
  }
  return few;
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
