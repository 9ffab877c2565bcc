import type { AnyActor } from 'xstate';
import { kindNames, kinds, localActors, type Kind } from '../agents/local.ts';
import { startFleet } from '../lib/fleet.ts';
import { ACTORS, asking, type Ask } from '../lib/load.ts';
import { peerNames, startPeers, type PeerPool } from '../lib/peers.ts';
import { comlinkPool } from '../raw/comlink.ts';
import { rawPool } from '../raw/thread.ts';
import { rowNamed, type Results } from '../lib/results.ts';
import { measure, median, ratio, type Row, type Variant } from '../lib/rounds.ts';

const RAW = 'raw postMessage per ask';
const HOLDFAST = 'holdfast ask, fromTransition';
const allKinds = Object.keys(kinds) as Kind[];

/** Asks with 1, 32 and 1024 in flight on one thread, and with 1024 on two. */
export async function ask(results: Results, rounds: number): Promise<void> {
  for (const threads of [1, 2]) await askOn(threads, results, rounds);
}

export async function askOn(threads: number, results: Results, rounds: number): Promise<void> {
  const fleet = await startFleet(threads);
  const raw = rawPool(threads);
  const rawActors = rawPool(threads, 'transition');
  const comlink = comlinkPool(threads);
  const peers = await startPeers(threads);
  const local = localActors('transition', ACTORS);
  const asks: Record<string, Ask> = {
    [RAW]: raw.ask,
    ...Object.fromEntries(allKinds.map((kind) => [`holdfast ask, ${kindNames[kind]}`, fleet.ask(kind)])),
    'raw postMessage, the same fromTransition': rawActors.ask,
    'comlink call': comlink.ask,
    ...Object.fromEntries(peerNames.map((name) => [name, taskOf(peers.pools[name])])),
    'no thread, XState, fromTransition': async (to, event) => {
      const actor = local[to] as AnyActor;
      actor.send(event);
      return (actor.getSnapshot() as { context: { last: number } }).context.last;
    },
  };
  if (threads === 1) await alone(results, rounds, asks);
  for (const inFlight of threads === 1 ? [32, 1024] : [1024]) {
    const rows = await measure(
      Object.fromEntries(Object.entries(asks).map(([name, ask]) => [name, () => asking(ask, { inFlight })])),
      rounds,
    );
    results.table({
      suite: 'ask',
      title: `ask, ${inFlight} in flight, ${threads === 1 ? 'one thread' : 'two threads'}: up to 100,000 or 0.4 s a run, median of ${rounds}`,
      unit: 'asks/s',
      base: RAW,
      rows,
      alsoUnit: 'µs',
    });
    if (inFlight === 1024) gates(results, rows, threads);
  }
  await Promise.all([fleet, raw, rawActors, comlink, peers].map((all) => all.stop()));
}

function gates(results: Results, rows: readonly Row[], threads: number): void {
  const holdfast = rowNamed(rows, HOLDFAST);
  const where = threads === 1 ? 'one thread' : 'two threads';
  const raw = rowNamed(rows, RAW);
  const plain = ratio(rowNamed(rows, 'holdfast ask, fromCallback'), raw);
  if (threads === 1) {
    results.gate(
      'ask',
      `1024 asks in flight, ${where}, fromTransition, to raw postMessage`,
      ratio(holdfast, raw),
      {
        atLeast: 2.5,
      },
    );
  } else
    results.note(
      'ask',
      `1024 asks in flight, ${where}, fromTransition, to raw postMessage`,
      ratio(holdfast, raw),
    );
  results.note('ask', `1024 asks in flight, ${where}, fromCallback, to raw postMessage`, plain);
  if (peerNames.length === 0) return;
  const least = peerNames
    .map((name) => ({ name, by: ratio(holdfast, rowNamed(rows, name)) }))
    .reduce((a, b) => (a.by < b.by ? a : b));
  results.gate(
    'ask',
    `1024 asks in flight, ${where}, fromTransition, to the fastest peer (${least.name})`,
    least.by,
    {
      atLeast: 5,
    },
  );
}

/** Asks in one block: short, so that a variant's best block meets the machine at its best. */
const BLOCK = 200;

/**
 * One ask after the other, in short blocks by turns. How long an idle core takes to wake up differs by the minute,
 * several times over, so the gate compares the best block of each: what the code itself costs.
 */
async function alone(results: Results, rounds: number, asks: Readonly<Record<string, Ask>>): Promise<void> {
  const blocks = Object.entries(asks).map(([name, ask]): [string, Variant] => [
    name,
    async () => {
      const { cpu, also } = await asking(ask, { inFlight: 1, limit: BLOCK, forMs: 1000 });
      const { p50 = 0, p99 = 0 } = also ?? {};
      return { value: p50, cpu, also: { p99 } };
    },
  ]);
  const rows = await measure(Object.fromEntries(blocks), rounds * 8, { warmUp: 5 });
  const best = (name: string): number => rowNamed(rows, name).min;
  results.table({
    suite: 'ask',
    title: `ask, one at a time, one thread: p50 of blocks of ${BLOCK}, ${rounds * 8} blocks by turns`,
    unit: 'µs',
    base: RAW,
    rows,
    alsoUnit: 'µs',
  });
  results.gate(
    'ask',
    'one ask alone, fromTransition, p50 of its best block to that of a raw round trip',
    best(HOLDFAST) / best(RAW),
    {
      atMost: 1.25,
    },
  );
  results.note('ask', 'one ask alone, fromTransition, p50 of the median block', ratioOfMedians(rows));
  for (const name of peerNames)
    results.note('ask', `the best block of ${name} to that of raw`, best(name) / best(RAW));
}

const ratioOfMedians = (rows: readonly Row[]): number =>
  median(rowNamed(rows, HOLDFAST).rounds) / median(rowNamed(rows, RAW).rounds);

const taskOf =
  (pool: PeerPool): Ask =>
  (_to, event) =>
    pool.run(event);
