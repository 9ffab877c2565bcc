import { setTimeout as delay } from 'node:timers/promises';
import type { ServedSystem } from '../runtime.ts';

/** Milliseconds between two looks at what is under way. */
const LOOK_MS = 50;

/**
 * What durable instances have under way as their process is about to be replaced: a promise, callback or observable that
 * would begin anew in the next one.
 */
export class WorkUnderWay {
  readonly #system: Pick<ServedSystem, 'working' | 'handled'>;
  /** The instances that were at work for as long as they were given: they are not waited for again. */
  #lasting: ReadonlySet<string> = new Set();

  constructor(system: Pick<ServedSystem, 'working' | 'handled'>) {
    this.#system = system;
  }

  /** The addresses of the instances that are at work now. */
  get now(): readonly string[] {
    return this.#system.working() ?? [];
  }

  /**
   * Resolves when each instance that is at work now has been without work, or after `ms`. Everything goes on meanwhile, so
   * that others may begin some.
   */
  async finished(ms: number): Promise<void> {
    const until = performance.now() + ms;
    const waiting = new Set(this.now);
    while (waiting.size > 0 && performance.now() < until) {
      await delay(LOOK_MS);
      const now = new Set(this.now);
      for (const address of waiting) if (!now.has(address)) waiting.delete(address);
    }
    this.#lasting = waiting;
  }

  /**
   * Resolves when all that was sent before is handled, and what that has begun is over, or after `ms`. Nothing more may
   * be let in meanwhile.
   */
  async over(ms: number): Promise<void> {
    if (this.#system.working() === undefined) return;
    const until = performance.now() + ms;
    const left = (): number => Math.max(0, until - performance.now());
    do {
      await this.#system.handled(left());
      // What a thread has told by then is heard.
      await delay(LOOK_MS);
    } while (left() > 0 && this.now.some((address) => !this.#lasting.has(address)));
  }
}
