import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRuntime, sqliteStore } from 'holdfast';
import {
  durablePeers,
  durablePeerVersions,
  installDurablePeers,
  type Counters,
} from '../lib/durable-peers.ts';
import { rowNamed, type Results } from '../lib/results.ts';
import { measure, percentile, ratio, type Sample } from '../lib/rounds.ts';

const KEYS = 64;
const OURS = 'Holdfast, an ask of a durable instance';
/** A run of a row. */
const FOR_MS = 3000;

/** One durable event by key, beside others that keep what they were told on the disk before they say so. */
export async function durablePeersSuite(results: Results, rounds: number): Promise<void> {
  installDurablePeers();
  Object.assign(results.packages, durablePeerVersions());
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
  const started: Record<string, Counters> = {};
  try {
    for (const [name, start] of Object.entries({ [OURS]: holdfast, ...durablePeers })) {
      started[name] = await start(folder, KEYS);
    }
    const told = Object.fromEntries(Object.keys(started).map((name) => [name, new Uint32Array(KEYS)]));
    for (const inFlight of [1, 64] as const) {
      const rows = await measure(
        Object.fromEntries(
          Object.entries(started).map(([name, counters]) => [
            name,
            () => adding(counters, told[name] as Uint32Array, inFlight),
          ]),
        ),
        rounds,
      );
      const many = inFlight === 1 ? 'one at a time' : `${inFlight} in flight`;
      results.table({
        suite: 'durable-peers',
        title: `one durable event by key, ${KEYS} keys, ${many}, median of ${rounds}`,
        unit: 'events/s',
        alsoUnit: 'ms',
        base: OURS,
        rows,
      });
      const ours = rowNamed(rows, OURS);
      const ratios = Object.keys(durablePeers).map((name) => ratio(ours, rowNamed(rows, name)));
      results.gate(
        'durable-peers',
        `one durable event by key, ${many}, to the fastest peer`,
        Math.min(...ratios),
        {
          atLeast: 10,
        },
      );
    }
    for (const [name, counters] of Object.entries(started)) {
      const counts = await counters.totals();
      const expected = [...(told[name] as Uint32Array)];
      if (counts.join() !== expected.join()) {
        throw new Error(`${name} counts ${counts.join()} where ${expected.join()} were told`);
      }
      console.log(`${name}: ${expected.reduce((sum, count) => sum + count)} told and counted`);
    }
  } finally {
    for (const counters of Object.values(started)) await counters.stop();
    await rm(folder, { recursive: true });
  }
}

/** Adds to the keys in turn until the time is up. */
async function adding({ add }: Counters, told: Uint32Array, inFlight: number): Promise<Sample> {
  const took: number[] = [];
  let next = 0;
  const began = performance.now();
  const over = began + FOR_MS;
  const lane = async (): Promise<void> => {
    for (let from = performance.now(); from < over;) {
      const key = next++ % KEYS;
      const count = await add(key);
      if (typeof count !== 'number') throw new Error(`${String(count)} is no count`);
      told[key] = (told[key] as number) + 1;
      const now = performance.now();
      took.push(now - from);
      from = now;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  const seconds = (performance.now() - began) / 1000;
  took.sort((a, b) => a - b);
  return {
    value: took.length / seconds,
    also: { p50: percentile(took, 0.5), p99: percentile(took, 0.99) },
  };
}

async function holdfast(folder: string, keys: number): Promise<Counters> {
  const module = new URL('../agents/account.ts', import.meta.url);
  const runtime = await createRuntime(
    { agents: { account: { type: 'thread-bound', threadId: 'accounts', maxThreads: 1, module } } },
    {
      logger: { debug() {}, info() {}, warn() {}, error() {} },
      store: sqliteStore({ path: join(folder, 'holdfast.db') }),
    },
  );
  const refs = await Promise.all(
    Array.from({ length: keys }, (_, key) => runtime.spawn('account', { id: `${key}`, input: { bytes: 0 } })),
  );
  return {
    add: (key) => (refs[key] as (typeof refs)[number]).ask({ type: 'add', n: key }),
    totals: () => Promise.all(refs.map((ref) => ref.ask({ type: 'read' }))),
    stop: () => runtime.stop(),
  };
}
