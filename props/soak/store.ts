// npm run soak:store -- --minutes 30 [--seed n]
import { join } from 'node:path';
import { createRuntime, sqliteStore, type DurableStore, type Runtime } from 'holdfast';
import { median } from '../../bench/lib/rounds.ts';
import { chanceOf } from './chance.ts';
import { soakCommand } from './soak-command.ts';
import { Tellers } from './tellers.ts';

/** Milliseconds of load between two comparisons. */
const ROUND_MS = 10_000;
/** The process goes on with another runtime after so many rounds. */
const ROUNDS = 4;
/** Milliseconds for which ids and letters are kept here. */
const KEPT_MS = 20_000;
/** How much more memory and file there may be at the end than at first. */
const GROWTH = 1.3;
/** Megabytes that are no growth: what a collection leaves, now more and now less. */
const SLACK_MB = 24;
/** Of the file, and of a thread's heap that another has taken the place of. */
const MOST_ID_RATE = 3000;

const silent = { debug() {}, info() {}, warn() {}, error() {} };

process.exit(
  await soakCommand({
    script: 'soak:store',
    what: 'with a store',
    amounts: { minutes: 5 },
    soaked: (folder, { minutes }, seed) => soaked(join(folder, 'agents.db'), minutes * 60_000, seed),
  }),
);

/** What a round has left. */
interface Look {
  readonly heapMb: number;
  readonly residentMb: number;
  readonly fileMb: number;
  readonly ids: number;
  readonly letters: number;
  readonly rows: number;
}

async function soaked(path: string, ms: number, seed: number): Promise<string[]> {
  const happened = { restarts: 0, passive: 0, runtimes: 0 };
  const open = async (): Promise<[Runtime, DurableStore]> => {
    const store = Object.assign(sqliteStore({ path }), { keepIdsMs: KEPT_MS });
    const runtime = await start(store);
    runtime.on('agent', ({ state }) => {
      if (state === 'passive') happened.passive += 1;
      if (state === 'restarting') happened.restarts += 1;
    });
    happened.runtimes += 1;
    return [runtime, store];
  };
  let [runtime, store] = await open();
  const tellers = new Tellers(runtime, chanceOf(seed));
  await tellers.follow(runtime);
  const looks: Look[] = [];
  const until = performance.now() + ms;
  for (let round = 1; performance.now() < until && tellers.wrong.length === 0; round++) {
    await tellers.run(ROUND_MS);
    await tellers.dismiss();
    // What a runtime does once an hour.
    await store.tidy(Date.now(), Date.now() - KEPT_MS);
    looks.push(await look(store));
    if (round % ROUNDS !== 0) continue;
    await runtime.stop();
    [runtime, store] = await open();
    await tellers.follow(runtime);
    await tellers.compare();
  }
  await runtime.stop();
  console.log(
    `${JSON.stringify(tellers.counts)}; errors ${JSON.stringify(tellers.codes)}; letters ${JSON.stringify(tellers.letters)}; ` +
      `${JSON.stringify(happened)}; ${tellers.compared} states compared`,
  );
  for (const key of ['heapMb', 'residentMb', 'fileMb', 'ids', 'letters', 'rows'] as const)
    console.log(`  ${key.padEnd(12)} ${looks.map((one) => Math.round(one[key])).join(' ')}`);
  const never = ['send', 'ask', 'deliver', 'enqueue', 'with an id', 'fail', 'exit', 'hang', 'stopped'].filter(
    (what) => (tellers.counts[what] ?? 0) === 0,
  );
  return [
    ...tellers.wrong,
    ...never.map((what) => `no ${what} has happened`),
    ...Object.entries(happened).flatMap(([what, count]) => (count > 0 ? [] : [`nothing was ${what}`])),
    ...grown(looks),
  ];
}

function start(store: DurableStore): Promise<Runtime> {
  return createRuntime(
    {
      agents: {
        teller: {
          type: 'thread-bound',
          threadId: 'tell',
          maxThreads: 2,
          module: new URL('./agents/teller.ts', import.meta.url),
          mailbox: { capacity: 64 },
          passivateAfterMs: 500,
          supervision: {
            intensity: { restarts: 100_000, withinMs: 1000 },
            backoff: { minMs: 5, maxMs: 100, factor: 2, jitter: 0.2 },
          },
        },
      },
      threads: {
        tell: {
          maxResident: 60,
          watchdog: { killMs: 800 },
          intensity: { restarts: 100_000, withinMs: 1000 },
        },
      },
    },
    { logger: silent, store },
  );
}

async function look(store: DurableStore): Promise<Look> {
  const { gc } = globalThis as { gc?: () => void };
  gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  const { bytes, ids, letters, rows } = await store.size();
  return {
    heapMb: heapUsed / 2 ** 20,
    residentMb: rss / 2 ** 20,
    fileMb: bytes / 2 ** 20,
    ids,
    letters,
    rows,
  };
}

/** What has grown from the second quarter to the last. */
function grown(looks: readonly Look[]): string[] {
  const quarter = Math.floor(looks.length / 4);
  if (quarter < 2) return [];
  const early = looks.slice(quarter, 2 * quarter);
  const late = looks.slice(-quarter);
  const wrong: string[] = [];
  for (const key of ['heapMb', 'residentMb', 'fileMb', 'ids', 'letters', 'rows'] as const) {
    const [before, after] = [early, late].map((some) => median(some.map((one) => one[key]))) as [
      number,
      number,
    ];
    const slack = key.endsWith('Mb') ? SLACK_MB : (MOST_ID_RATE * KEPT_MS) / 1000;
    if (after > before * GROWTH + slack)
      wrong.push(`${key} grew from ${Math.round(before)} to ${Math.round(after)}`);
  }
  return wrong;
}
