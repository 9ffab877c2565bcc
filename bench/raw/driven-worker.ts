// Actors at the speed they have when nothing comes over a port.
import { parentPort, type MessagePort } from 'node:worker_threads';
import type { AnyActor } from 'xstate';
import type { CounterEvent } from '../agents/counter-event.ts';
import { countOf, localActors, type Kind } from '../agents/local.ts';
import { ACTORS } from '../lib/load.ts';

const port = parentPort as MessagePort;

port.on('message', ({ kind, events }: { kind: Kind; events: number }) => {
  const actors = localActors(kind, ACTORS);
  const started = performance.now();
  for (let n = 0; n < events; n++) {
    const event: CounterEvent = { type: 'tick', n };
    (actors[n % ACTORS] as AnyActor).send(event);
  }
  const ms = performance.now() - started;
  port.postMessage({ ms, count: actors.reduce((sum, actor) => sum + countOf(actor), 0) });
});
