// What a program without a library would write: a worker that handles what comes over its port. It does nothing but
// count, or drives the same actors as Holdfast when `workerData` names their kind.
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import type { AnyActor } from 'xstate';
import type { CounterEvent } from '../agents/counter-event.ts';
import type { Kind } from '../agents/local.ts';
import type { RawMessage } from './thread.ts';
import { burn } from '../agents/burn.mjs';
import { ACTORS } from '../lib/load.ts';

const ACK_EVERY = 256;
const port = parentPort as MessagePort;
const { kind } = workerData as { kind?: Kind };
let count = 0;
let unacknowledged = 0;

const bare = (_to: number, event: CounterEvent): void => {
  if (event.type !== 'read') count += 1;
};
const { handle, total } = kind === undefined ? { handle: bare, total: () => count } : await actors(kind);

async function actors(kind: Kind) {
  const { countOf, localActors } = await import('../agents/local.ts');
  const all = localActors(kind, ACTORS);
  return {
    handle: (to: number, event: CounterEvent): void => (all[to] as AnyActor).send(event),
    total: () => all.reduce((sum, actor) => sum + countOf(actor), 0),
  };
}

port.on('message', (message: RawMessage) => {
  if ('batch' in message) {
    const { batch } = message;
    for (let i = 0; i < batch.length; i += 2) handle(batch[i] as number, batch[i + 1] as CounterEvent);
    port.postMessage({ ack: batch.length / 2 });
  } else if ('id' in message) {
    const { id, to, event } = message;
    if (event.type === 'read') port.postMessage({ id, value: total() });
    else if (event.type === 'work') port.postMessage({ id, value: burn(event.n) });
    else {
      handle(to, event);
      port.postMessage({ id, value: event.n });
    }
  } else {
    handle(message.to, message.event);
    if (++unacknowledged === ACK_EVERY) {
      port.postMessage({ ack: unacknowledged });
      unacknowledged = 0;
    }
  }
});
