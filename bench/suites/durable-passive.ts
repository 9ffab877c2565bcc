import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRuntime, sqliteStore, type AgentRef, type Runtime } from 'holdfast';
import type { Results } from '../lib/results.ts';
import { median } from '../lib/rounds.ts';

const module = new URL('../agents/account.ts', import.meta.url);
const IN_FLIGHT = 64;
const SPAWNED = 2000;
const PASSIVE = 20_000;

/** What instances cost that are passive, and how fast they wake. */
export async function passive(results: Results, rounds: number, folder: string): Promise<void> {
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const runtime = await resting(join(folder, `wakes-${round}.db`));
    const refs: AgentRef[] = [];
    const spawns = await rate(SPAWNED, async (i) => {
      refs.push(await runtime.spawn('account', { id: `${i}` }));
    });
    await allPassive(runtime);
    const wakes = await rate(SPAWNED, async (i) => {
      const count: unknown = await refs[i]?.ask({ type: 'read' });
      if (count !== 0) throw new Error(`${String(count)} came of a passive instance`);
    });
    ratios.push(wakes / spawns);
    await runtime.stop();
  }
  results.gate('durable', 'wakes to fresh spawns, in a second', median(ratios), { atLeast: 0.7 });
  await costs(results, join(folder, 'passive.db'));
}

async function costs(results: Results, path: string): Promise<void> {
  const runtime = await resting(path);
  // What as many take while they are there, is there once: tables grow with them.
  await rate(PASSIVE, (i) => runtime.spawn('account', { id: `first-${i}` }));
  await allPassive(runtime);
  const one: AgentRef = await runtime.spawn('account', { id: 'one' });
  const before = heap();
  await rate(PASSIVE, (i) => runtime.spawn('account', { id: `${i}` }));
  await allPassive(runtime);
  const bytes = (heap() - before) / PASSIVE;
  const state = JSON.stringify(await one.persist()).length;
  await runtime.stop();
  const onDisk = statSync(path).size / (2 * PASSIVE);
  // What a heap differs by from one look to the next.
  results.gate('durable', 'bytes of memory of a passive instance', bytes, { atMost: 16 });
  results.gate('durable', 'bytes on disk of a passive instance, to those of its state', onDisk / state, {
    atMost: 1.3,
  });
}

function resting(path: string): Promise<Runtime> {
  const account = {
    type: 'thread-bound',
    threadId: 'accounts',
    maxThreads: 1,
    module,
    passivateAfterMs: 200,
  } as const;
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  return createRuntime({ agents: { account } }, { logger, store: sqliteStore({ path }) });
}

async function rate(count: number, run: (i: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await run(next++);
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return (count / (performance.now() - began)) * 1000;
}

async function allPassive(runtime: Runtime): Promise<void> {
  while (runtime.status().instances.length > 0) await sleep(50);
}

function heap(): number {
  for (let i = 0; i < 3; i++) (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed;
}
