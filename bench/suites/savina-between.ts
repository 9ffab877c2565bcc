import { createRuntime, type AgentRef } from 'holdfast';
import { startComedySavina } from '../lib/peers.ts';
import { rawSavina } from '../raw/savina.ts';
import type { Results } from '../lib/results.ts';
import type { Savina } from '../lib/savina-actors.ts';
import { measure, stopwatch, type Variant } from '../lib/rounds.ts';
import { hasPeers } from '../lib/selection.ts';

const RAW = 'raw postMessage, a port between each two';
const ROUND_TRIPS = 2000;
const EVENTS = 20_480;
/** Events of one to another before it waits: what one may have under way with default settings. */
const BURST = 128;
/** Actors of ring and big, each in a thread of its own. */
const ACTORS = 8;
const HOPS = 4000;
const BIG_ROUNDS = 500;
/** Runs before the first that counts: one has some hundred turns for a thread, and code is warm after some thousand. */
const WARM_UP = 20;

/** One of the micro-benchmarks: throws when not everything happened. */
interface Game {
  readonly title: string;
  readonly unit: 'asks/s' | 'events/s';
  /** Messages, or round trips, of one run. */
  readonly count: number;
  readonly canPlay: (one: Savina) => boolean;
  readonly play: (one: Savina) => Promise<void>;
}

const counted = new WeakMap<Savina, number>();

const games: readonly Game[] = [
  {
    title: `ping-pong: two actors, ${ROUND_TRIPS} round trips`,
    unit: 'asks/s',
    count: ROUND_TRIPS,
    canPlay: () => true,
    play: async (one) => expectEqual(await one.pingPong(ROUND_TRIPS), ROUND_TRIPS),
  },
  {
    title: `counting: ${EVENTS} events from one actor to another`,
    unit: 'events/s',
    count: EVENTS,
    canPlay: () => true,
    play: async (one) => {
      const count = await one.counting(EVENTS, BURST);
      expectEqual(count - (counted.get(one) ?? 0), EVENTS);
      counted.set(one, count);
    },
  },
  {
    title: `thread-ring: a token, ${ACTORS} actors, ${HOPS} hops`,
    unit: 'events/s',
    count: HOPS,
    canPlay: ({ ring }) => ring !== undefined,
    play: async (one) => expectEqual(await one.ring?.(HOPS), 0),
  },
  {
    title: `big: ${ACTORS} actors, each pings all others by turns, ${BIG_ROUNDS} times`,
    unit: 'asks/s',
    count: ACTORS * BIG_ROUNDS,
    canPlay: ({ big }) => big !== undefined,
    play: async (one) => expectEqual(await one.big?.(BIG_ROUNDS), ACTORS),
  },
];

/** Threads that talk to threads: the host is not in between. */
export async function savinaBetweenThreads(results: Results, rounds: number): Promise<void> {
  const all: Readonly<Record<string, Savina>> = {
    [RAW]: await rawSavina(ACTORS),
    holdfast: await holdfastSavina(),
    ...(hasPeers() && { comedy: await startComedySavina() }),
  };
  for (const { title, unit, count, canPlay, play } of games) {
    const players = Object.entries(all).filter(([, one]) => canPlay(one));
    const variants = players.map(([name, one]): [string, Variant] => [
      name,
      async () => {
        const measured = stopwatch();
        await play(one);
        return measured(count);
      },
    ]);
    const rows = await measure(Object.fromEntries(variants), rounds, { warmUp: WARM_UP });
    results.table({
      suite: 'savina',
      title: `${title}, thread to thread, median of ${rounds}`,
      unit,
      base: RAW,
      rows,
    });
  }
  for (const one of Object.values(all)) await one.stop();
}

function expectEqual(value: unknown, wanted: number): void {
  if (value !== wanted) throw new Error(`${String(value)} instead of ${wanted}`);
}

async function holdfastSavina(): Promise<Required<Savina>> {
  const runtime = await createRuntime({
    agents: {
      actor: {
        type: 'thread-bound',
        threadId: 'savina',
        maxThreads: ACTORS,
        module: new URL('../agents/savina.ts', import.meta.url),
      },
    },
  });
  const refs: AgentRef[] = [];
  for (let id = 0; id < ACTORS; id++) refs.push(await runtime.spawn('actor', { id: String(id) }));
  const addresses = refs.map(({ address }) => address);
  const [first, second = ''] = [refs[0] as AgentRef, addresses[1]];
  const run = async (ref: AgentRef, event: { type: string }): Promise<number> => {
    const done = new Promise<number>((resolve) => {
      const subscription = ref.on('done', (emitted) => {
        subscription.unsubscribe();
        resolve((emitted as unknown as { value: number }).value);
      });
    });
    await ref.deliver(event);
    return done;
  };
  return {
    pingPong: (rounds) => run(first, { type: 'play', to: second, rounds } as { type: string }),
    counting: async (events, burst) => {
      await run(first, { type: 'produce', to: second, events, burst } as { type: string });
      return (await (refs[1] as AgentRef).ask({ type: 'read' })) as number;
    },
    ring: async (hops) => {
      const linked = refs.map((ref, i) =>
        ref.deliver({ type: 'next', address: addresses[(i + 1) % ACTORS] }),
      );
      await Promise.all(linked);
      // The hops are a multiple of the ring, so the token ends where it began.
      return run(first, { type: 'token', left: hops } as { type: string });
    },
    big: async (rounds) => {
      const done = refs.map((ref, i) => {
        const others = [...addresses.slice(i + 1), ...addresses.slice(0, i)];
        return run(ref, { type: 'big', others, rounds } as { type: string });
      });
      return (await Promise.all(done)).length;
    },
    stop: () => runtime.stop(),
  };
}
