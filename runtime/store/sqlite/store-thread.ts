import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { CommitCall, StoreAnswer, StoreCall, StoreThreadData } from './store-call.ts';
import { OpenStore } from './open-store.ts';
import type { PackedGroup } from './packed-group.ts';
import { storeError } from './sqlite-error.ts';
import { toWire } from './wire-store-error.ts';

const data = workerData as StoreThreadData;
const port = parentPort;
if (port === null) throw new Error('a store has a thread of its own');

const say = (answer: StoreAnswer): void => port.postMessage(answer);
const refuse = (id: number, error: unknown): void =>
  say({ id, error: toWire(storeError(error, data.path)), failures: store?.failures ?? 0 });

let store: OpenStore | undefined;

try {
  store = new OpenStore(data, (fields, message) => say({ warn: [fields, message] }));
  say({ id: 0, value: store.opened });
} catch (error) {
  refuse(0, error);
  port.close();
}

port.on('message', (call: StoreCall) => {
  let next: StoreCall | undefined = call;
  while (next !== undefined) next = next[2] === 'commit' ? commit(next) : answer(next);
});

/** Writes a group, and with it those that have come behind it; returns what came behind them. */
function commit(first: StoreCall): StoreCall | undefined {
  if (store === undefined) return undefined;
  const [, failures, , ...given] = first;
  const [group, fault] = given as unknown as CommitCall;
  const [ids, groups] = [[first[0]], [group]];
  let next = fault === undefined ? received() : undefined;
  while (next?.[1] === failures && next[2] === 'commit' && next[4] === undefined) {
    ids.push(next[0]);
    groups.push(next[3] as PackedGroup);
    next = received();
  }
  try {
    const results = store.commit(failures, groups, fault);
    say({ ids, values: results });
  } catch (error) {
    for (const id of ids) refuse(id, error);
    store.afterError(error);
  }
  return next;
}

function answer([id, , method, ...given]: StoreCall): undefined {
  if (store === undefined) return;
  try {
    if (method === 'close') {
      store.close();
      say({ id, value: undefined });
      port?.close();
    } else say({ id, value: (store[method] as (...all: unknown[]) => unknown)(...given) });
  } catch (error) {
    refuse(id, error);
    store.afterError(error);
  }
}

function received(): StoreCall | undefined {
  return port === null ? undefined : (receiveMessageOnPort(port)?.message as StoreCall | undefined);
}
