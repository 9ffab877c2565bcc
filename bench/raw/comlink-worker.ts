import { parentPort } from 'node:worker_threads';
import { expose, type Endpoint } from 'comlink';

let count = 0;

/** One comlink call per event, as comlink's guide shows it. */
export const api = {
  tick(_n: number): void {
    count += 1;
  },
  add(n: number): number {
    count += 1;
    return n;
  },
  total: (): number => count,
};

expose(api, parentPort as unknown as Endpoint);
