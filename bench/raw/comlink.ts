import { Worker } from 'node:worker_threads';
import { wrap, type Endpoint } from 'comlink';
import nodeEndpoint from 'comlink/dist/umd/node-adapter.js';
import type { Ask, Sender } from '../lib/load.ts';
import type { api } from './comlink-worker.ts';

/** Workers behind comlink and nothing else: one call per event. */
export function comlinkPool(threads: number): { ask: Ask; sender: Sender; stop(): Promise<void> } {
  const workers = Array.from(
    { length: threads },
    () => new Worker(new URL('./comlink-worker.ts', import.meta.url)),
  );
  const adapt = nodeEndpoint as unknown as (worker: Worker) => Endpoint;
  const remotes = workers.map((worker) => wrap<typeof api>(adapt(worker)));
  const [first] = remotes as [(typeof remotes)[number]];
  return {
    ask: (to, event) => (remotes[to % threads] as typeof first).add(event.n),
    sender: {
      send: (_to, n, last) => {
        const called = first.tick(n);
        return last ? called : undefined;
      },
      total: () => first.total(),
    },
    stop: async () => {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}
