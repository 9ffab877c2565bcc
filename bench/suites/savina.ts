import { createRuntime, type AgentRef } from 'holdfast';
import { startFleet } from '../lib/fleet.ts';
import { sending, type Ask } from '../lib/load.ts';
import { peerSender } from '../lib/peer-sender.ts';
import { startPeer } from '../lib/peers.ts';
import { RawThread } from '../raw/thread.ts';
import type { Results } from '../lib/results.ts';
import { savinaBetweenThreads } from './savina-between.ts';
import { measure, stopwatch, type Sample, type Variant } from '../lib/rounds.ts';
import { hasPeers } from '../lib/selection.ts';

/** Round trips of one run; fewer when the time is up. */
const ROUND_TRIPS = 5000;
const FOR_MS = 500;

/** Micro-benchmarks of the Savina suite, across threads. */
export async function savina(results: Results, rounds: number): Promise<void> {
  await pingPong(results, rounds);
  await counting(results, rounds);
  await savinaBetweenThreads(results, rounds);
}

/** One message that goes to one thread and to another, by turns, with the host in between. */
async function pingPong(results: Results, rounds: number): Promise<void> {
  const counter = (threadId: string) => ({
    type: 'thread-bound' as const,
    threadId,
    maxThreads: 1,
    module: new URL('../agents/counter.ts', import.meta.url),
  });
  const runtime = await createRuntime({ agents: { ping: counter('ping'), pong: counter('pong') } });
  const refs: AgentRef[] = [
    await runtime.spawn('ping', { id: 'a' }),
    await runtime.spawn('pong', { id: 'b' }),
  ];
  const raws = [new RawThread(), new RawThread()];
  const comedies = hasPeers() ? [await startPeer('comedy', 1), await startPeer('comedy', 1)] : [];
  const asks: Record<string, Ask> = {
    'raw postMessage': (to, event) => (raws[to] as RawThread).ask(to, event),
    holdfast: (to, event) => (refs[to] as AgentRef).ask(event),
    ...(comedies.length > 0 && {
      comedy: (to, event) => (comedies[to] as (typeof comedies)[number]).run(event),
    }),
  };
  results.table({
    suite: 'savina',
    title: `ping-pong: the host asks two actors in two threads by turns, ${ROUND_TRIPS} round trips or 0.5 s, median of ${rounds}`,
    unit: 'asks/s',
    base: 'raw postMessage',
    rows: await measure(
      Object.fromEntries(Object.entries(asks).map(([name, ask]) => [name, () => volleys(ask)])),
      rounds,
    ),
  });
  for (const all of [runtime, ...raws, ...comedies]) await all.stop();
}

async function volleys(ask: Ask): Promise<Sample> {
  const started = performance.now();
  const measured = stopwatch();
  let n = 0;
  while (n < ROUND_TRIPS && performance.now() - started < FOR_MS) {
    const answer = await ask(n % 2, { type: 'add', n });
    if (answer !== n) throw new Error(`${String(answer)} came back for ${n}`);
    n += 1;
  }
  return measured(n);
}

/** One producer, one counter in a thread, and the count asked for at the end. */
async function counting(results: Results, rounds: number): Promise<void> {
  const fleet = await startFleet(1);
  const raw = new RawThread();
  const comedy = hasPeers() ? await startPeer('comedy', 1) : undefined;
  // A mailbox of Holdfast is bounded: the producer waits for every 256th, three of which are under way at most.
  const window = 3 * 256;
  const variants: Record<string, Variant> = {
    'raw postMessage per event': () => sending(raw.perEvent(), { window }),
    holdfast: () => sending(fleet.sender('transition', 1), { window }),
  };
  if (comedy !== undefined) {
    const sender = peerSender(comedy);
    variants['comedy'] = () => sending(sender, { window });
  }
  results.table({
    suite: 'savina',
    title: `counting: the host sends to one actor in a thread and asks for the count, median of ${rounds}`,
    unit: 'events/s',
    base: 'raw postMessage per event',
    rows: await measure(variants, rounds),
  });
  for (const all of [fleet, raw, comedy]) await all?.stop();
}
