import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as holdfast from 'holdfast';
import type { AgentRef, Runtime } from 'holdfast';
import { rowNamed, type Results } from '../lib/results.ts';
import { measure, ratio, stopwatch, type Sample, type Variant } from '../lib/rounds.ts';

const INSTANCES = 1000;
const IN_FLIGHT = 64;
const WARM_UP = 2;
const FRESH = 'fresh spawns, without a store';
const WAKES = 'wakes';

/** How fast instances come back that have left memory, beside fresh ones. A build without stores has the latter alone. */
export async function wakes(results: Results, rounds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
  const hasStores = 'sqliteStore' in holdfast;
  const plain = await started();
  const durable = hasStores ? await started(join(folder, 'spawns.db')) : undefined;
  const resting = hasStores ? await started(join(folder, 'wakes.db'), 200) : undefined;
  const refs: AgentRef[] = [];
  if (resting !== undefined)
    await eachOf(async (i) => {
      refs.push(await resting.spawn('account', { id: String(i) }));
    });
  const variants: Record<string, Variant> = {
    [FRESH]: () => spawns(plain),
    ...(durable && { 'fresh spawns, durable': () => spawns(durable) }),
    ...(resting && {
      [WAKES]: async () => {
        while (resting.status().instances.length > 0) await sleep(50);
        return rate(async (i) => {
          const count: unknown = await refs[i]?.ask({ type: 'read' });
          if (count !== 0) throw new Error(`${String(count)} came of a passive instance`);
        });
      },
    }),
  };
  try {
    const rows = await measure(variants, rounds, { warmUp: WARM_UP });
    results.table({
      suite: 'wakes',
      title: `${INSTANCES} instances of a machine with a state of 1 KB, ${IN_FLIGHT} at a time, on one thread, median of ${rounds}`,
      unit: 'instances/s',
      base: FRESH,
      rows,
    });
    if (hasStores)
      results.note('wakes', 'wakes to fresh spawns', ratio(rowNamed(rows, WAKES), rowNamed(rows, FRESH)));
  } finally {
    for (const runtime of [plain, durable, resting]) await runtime?.stop();
    await rm(folder, { recursive: true });
  }
}

function started(path?: string, passivateAfterMs?: number): Promise<Runtime> {
  const account = {
    type: 'thread-bound',
    threadId: 'accounts',
    maxThreads: 1,
    module: new URL('../agents/account.ts', import.meta.url),
    ...(passivateAfterMs !== undefined && { passivateAfterMs }),
  } as const;
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const store = path === undefined ? {} : { store: holdfast.sqliteStore({ path }) };
  return holdfast.createRuntime({ agents: { account } }, { logger, ...store });
}

/** They are stopped when it was measured how they came. */
async function spawns(runtime: Runtime): Promise<Sample> {
  const refs: AgentRef[] = [];
  const sample = await rate(async (i) => {
    refs.push(await runtime.spawn('account', { id: String(i) }));
  });
  await eachOf((i) => (refs[i] as AgentRef).stop());
  return sample;
}

async function rate(run: (i: number) => Promise<unknown>): Promise<Sample> {
  const measured = stopwatch();
  await eachOf(run);
  return measured(INSTANCES);
}

async function eachOf(run: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < INSTANCES) await run(next++);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}
