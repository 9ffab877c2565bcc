import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRuntime, sqliteStore, type DurableStore, type Runtime } from 'holdfast';
import type { Results } from '../lib/results.ts';
import { median } from '../lib/rounds.ts';

const module = new URL('../agents/alarm.ts', import.meta.url);
const ALARMS = 10_000;
const IN_FLIGHT = 64;
/** Each round waits for its moment. */
const MOST_ROUNDS = 3;
/** Milliseconds from the first spawn to that moment: they are spawned, the runtime stops and the next one starts. */
const LEAD_MS = 30_000;
/** Milliseconds between two looks at what is due. */
const LOOK_MS = 20;

/** How long it takes until all have handled a timer that is due at the same moment, when none of them is in memory. */
export async function timers(results: Results, rounds: number, folder: string): Promise<void> {
  const seconds: number[] = [];
  const toSpawns: number[] = [];
  for (let round = 0; round < Math.min(rounds, MOST_ROUNDS); round++) {
    const path = join(folder, `timers-${round}.db`);
    const at = Date.now() + LEAD_MS;
    const spawning = await started(sqliteStore({ path }));
    const began = performance.now();
    await inLanes((id) => spawning.spawn('alarm', { id, input: { at } }));
    const spawnedIn = (performance.now() - began) / 1000;
    await spawning.stop();
    const store = sqliteStore({ path });
    const runtime = await started(store);
    if (Date.now() > at)
      throw new Error('the machine is too slow for what is measured: the timers were due before the start');
    await sleep(at - Date.now() + 1);
    // Each has left the list when its state without the timer is committed.
    while ((await store.due(Date.now(), 1)).due.length > 0) await sleep(LOOK_MS);
    const took = (Date.now() - at) / 1000;
    await inLanes(async (id) => {
      const rung: unknown = await (await runtime.getOrSpawn('alarm', id)).ask({ type: 'read' });
      if (rung !== 1) throw new Error(`the timer of ${id} was handled ${String(rung)} times`);
    });
    await runtime.stop();
    seconds.push(took);
    toSpawns.push(took / spawnedIn);
  }
  const what = `seconds until ${ALARMS.toLocaleString('en')} instances have handled timers that are due at once after a start`;
  results.gate('durable', what, median(seconds), { atMost: 10 });
  results.note('durable', 'that, to as many fresh spawns', median(toSpawns));
}

function started(store: DurableStore): Promise<Runtime> {
  const alarm = { type: 'thread-bound', threadId: 'alarms', maxThreads: 1, module } as const;
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  return createRuntime({ agents: { alarm } }, { logger, store });
}

async function inLanes(run: (id: string) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < ALARMS) await run(String(next++));
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}
