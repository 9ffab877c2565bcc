import type { AnyActor } from 'xstate';
import type { CounterEvent } from '../agents/counter-event.ts';
import { countOf, kindNames, kinds, localActors, type Kind } from '../agents/local.ts';
import { ONE_MAILBOX, startFleet } from '../lib/fleet.ts';
import { ACTORS, sending, type Sender } from '../lib/load.ts';
import { peerSender } from '../lib/peer-sender.ts';
import { peerNames, startPeers } from '../lib/peers.ts';
import { comlinkPool } from '../raw/comlink.ts';
import { RawThread } from '../raw/thread.ts';
import { rowNamed, type Results } from '../lib/results.ts';
import { measure, ratio, type Variant } from '../lib/rounds.ts';

const BATCHED = 'raw postMessage, batches of 256';
const allKinds = Object.keys(kinds) as Kind[];

/** Host to one thread, nobody waits for answers. */
export async function oneWay(results: Results, rounds: number): Promise<void> {
  const fleet = await startFleet(1);
  const comlink = comlinkPool(1);
  const peers = await startPeers(1);
  const raw = new RawThread();
  const rawActors = Object.fromEntries(allKinds.map((kind) => [kind, new RawThread(kind)])) as Record<
    Kind,
    RawThread
  >;
  const variants: Record<string, Variant> = {};
  const add = (name: string, sender: Sender, options?: Parameters<typeof sending>[1]): void => {
    variants[name] = () => sending(sender, options);
  };

  add(BATCHED, raw.batched());
  for (const kind of allKinds) {
    add(`holdfast send, ${kindNames[kind]}`, fleet.sender(kind));
    add(`raw batches into the same ${kindNames[kind]}`, rawActors[kind].batched());
    add(`no thread, XState's send, ${kindNames[kind]}`, localSender(kind));
  }
  add('holdfast send, 1 instance, fromTransition', fleet.sender('transition', 1), { window: ONE_MAILBOX });
  add('raw postMessage per event', raw.perEvent());
  add('comlink, a call per event', comlink.sender);
  for (const name of peerNames) add(peerRow(name), peerSender(peers.pools[name]));

  const rows = await measure(variants, rounds);
  results.table({
    suite: 'one-way',
    title: `one way to one thread: 32 actors, up to 200,000 events or 0.5 s a run, median of ${rounds}`,
    unit: 'events/s',
    base: BATCHED,
    rows,
  });
  const of = (name: string) => rowNamed(rows, name);
  results.gate(
    'one-way',
    'one way, fromTransition, to raw batched postMessage that only counts',
    ratio(of('holdfast send, fromTransition'), of(BATCHED)),
    { atLeast: 0.85 },
  );
  for (const kind of allKinds) {
    const [mine, theirs] = [
      `holdfast send, ${kindNames[kind]}`,
      `raw batches into the same ${kindNames[kind]}`,
    ];
    results.note(
      'one-way',
      `${kindNames[kind]}, to raw batches into the same actors`,
      ratio(of(mine), of(theirs)),
    );
  }
  await Promise.all([fleet, comlink, peers, raw, ...Object.values(rawActors)].map((all) => all.stop()));
}

const peerRow = (name: string): string => (name === 'comedy' ? 'comedy send' : `${name}, nobody waits`);

function localSender(kind: Kind): Sender {
  const actors = localActors(kind, ACTORS);
  return {
    send: (to, n, last) => {
      const event: CounterEvent = { type: 'tick', n };
      (actors[to] as AnyActor).send(event);
      return last ? Promise.resolve() : undefined;
    },
    total: async () => actors.reduce((sum, actor) => sum + countOf(actor), 0),
  };
}
