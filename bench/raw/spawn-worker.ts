// Creates an actor per message, and keeps it until it is told to forget them.
import { parentPort, type MessagePort } from 'node:worker_threads';
import { createActor, type AnyActor } from 'xstate';
import logic from '../agents/counter.ts';

const port = parentPort as MessagePort;
let actors: AnyActor[] = [];
port.on('message', (n: number | 'forget') => {
  if (n === 'forget') actors = [];
  else actors.push(createActor(logic).start());
  port.postMessage(n);
});
port.postMessage('ready');
