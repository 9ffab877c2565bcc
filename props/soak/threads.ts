import type { Runtime } from 'holdfast';
import { openCensus, type Census } from '../census.ts';
import { POOLS } from './roster.ts';

/** Milliseconds between two looks; there is one at each change of a thread as well. */
const EVERY_MS = 10;

/** Threads of each pool as the operating system sees them, all the time. */
export class ThreadWatch {
  readonly peaks = new Map<string, number>(POOLS.map(({ threadId }) => [threadId, 0]));
  readonly wrong: string[] = [];
  looks = 0;
  readonly #census: Census | undefined;
  readonly #timer: NodeJS.Timeout;

  static async over(runtime: Runtime): Promise<ThreadWatch> {
    return new ThreadWatch(runtime, await openCensus());
  }

  constructor(runtime: Runtime, census: Census | undefined) {
    this.#census = census;
    runtime.on('thread', () => this.#look());
    this.#timer = setInterval(() => this.#look(), EVERY_MS);
  }

  #look(): void {
    this.looks += 1;
    for (const { threadId, maxThreads } of POOLS) {
      const alive = this.#census?.ofPool(threadId) ?? 0;
      if (alive > (this.peaks.get(threadId) ?? 0)) this.peaks.set(threadId, alive);
      if (alive > maxThreads && this.wrong.length < 5) {
        this.wrong.push(`${alive} threads of ${threadId}, at most ${maxThreads} allowed`);
      }
    }
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
