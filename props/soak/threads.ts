import type { Runtime } from 'holdfast';
import { openCensus, type Census } from '../census.ts';
import { POOLS } from './roster.ts';

/** Milliseconds between two looks; there is one at each change of a thread as well. */
const EVERY_MS = 10;

/** Threads as the operating system sees them, of each pool or, where they have no names, of all (`all`). */
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
    const [first] = POOLS;
    // Where threads have no names, they are counted all together.
    if (first !== undefined && this.#census?.ofPool(first.threadId) === undefined) return this.#lookAtAll();
    for (const { threadId, maxThreads } of POOLS) {
      const alive = this.#census?.ofPool(threadId) ?? 0;
      if (alive > (this.peaks.get(threadId) ?? 0)) this.peaks.set(threadId, alive);
      if (alive > maxThreads && this.wrong.length < 5) {
        this.wrong.push(`${alive} threads of ${threadId}, at most ${maxThreads} allowed`);
      }
    }
  }

  #lookAtAll(): void {
    const alive = this.#census?.total() ?? 0;
    const allowed = POOLS.reduce((sum, { maxThreads }) => sum + maxThreads, 0);
    this.peaks.set('all', Math.max(alive, this.peaks.get('all') ?? 0));
    if (alive > allowed && this.wrong.length < 5) {
      this.wrong.push(`${alive} worker threads, at most ${allowed} allowed`);
    }
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
