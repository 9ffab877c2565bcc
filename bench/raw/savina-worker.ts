// The Savina micro-benchmarks over bare ports: a worker is an actor, and has a port to each of the others.
import { parentPort, type MessagePort } from 'node:worker_threads';
import type { FromHost, Peerwise } from './savina.ts';

const host = parentPort as MessagePort;
const ports: (MessagePort | undefined)[] = [];
let index = 0;
let count = 0;
let left = 0;
let burst = 0;
/** Whose turn it is in `big`; `undefined` in a game of two. */
let turn: number | undefined;

const to = (peer: number, message: Peerwise): void => ports[peer]?.postMessage(message);

function ping(n: number): void {
  // Each of the others in turn.
  const peer = turn === undefined ? 1 : (index + 1 + (turn++ % (ports.length - 1))) % ports.length;
  to(peer, { type: 'ping', from: index, n });
}

function produce(): void {
  for (let n = 1; n < burst; n++) to(1, { type: 'tick', n });
  to(1, { type: 'add', from: index });
}

function pass(hops: number): void {
  if (hops === 0) host.postMessage(0);
  else to((index + 1) % ports.length, { type: 'token', left: hops - 1 });
}

function heard(message: Peerwise): void {
  if (message.type === 'ping') to(message.from, { type: 'pong', from: index, n: message.n });
  else if (message.type === 'pong') {
    left -= 1;
    if (left === 0) host.postMessage(message.n + 1);
    else ping(message.n + 1);
  } else if (message.type === 'token') pass(message.left);
  else if (message.type === 'tick') count += 1;
  else if (message.type === 'add') {
    count += 1;
    to(message.from, { type: 'added', count });
  } else {
    left -= burst;
    if (left <= 0) host.postMessage(message.count);
    else produce();
  }
}

host.on('message', (message: FromHost) => {
  if (message.type === 'port') {
    index = message.index;
    message.port?.on('message', heard);
    ports[message.to] = message.port;
    host.postMessage('linked');
  } else if (message.type === 'ring') pass(message.hops);
  else if (message.type === 'produce') {
    ({ events: left, burst } = message);
    produce();
  } else {
    left = message.rounds;
    turn = message.type === 'big' ? 0 : undefined;
    ping(0);
  }
});
