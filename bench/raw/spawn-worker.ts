// Creates an actor per message, and keeps it.
import { parentPort, type MessagePort } from 'node:worker_threads';
import { createActor, type AnyActor } from 'xstate';
import logic from '../agents/counter.ts';

const port = parentPort as MessagePort;
const actors: AnyActor[] = [];
port.on('message', (n: number) => {
  actors.push(createActor(logic).start());
  port.postMessage(n);
});
port.postMessage('ready');
