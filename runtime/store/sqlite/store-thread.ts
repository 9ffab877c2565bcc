import { parentPort, workerData } from 'node:worker_threads';
import type { CommitCall, StoreAnswer, StoreCall, StoreThreadData } from './store-call.ts';
import { OpenStore } from './open-store.ts';
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

port.on('message', ([id, failures, method, ...given]: StoreCall) => {
  if (store === undefined) return;
  try {
    if (method === 'commit') say({ id, value: store.commit(failures, ...(given as unknown as CommitCall)) });
    else if (method === 'close') {
      store.close();
      say({ id, value: undefined });
      port.close();
    } else say({ id, value: (store[method] as (...all: unknown[]) => unknown)(...given) });
  } catch (error) {
    refuse(id, error);
    store.afterError(error);
  }
});
