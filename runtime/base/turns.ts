import { untilAborted } from './until-aborted.ts';

/** Lets so many run at one time, and the others in the order in which they came. */
export class Turns {
  readonly #most: number;
  readonly #mostBytes: number;
  readonly #waiting = new Set<{ readonly go: () => void; readonly bytes: number }>();
  #running = 0;
  #bytes = 0;

  constructor(most: number, mostBytes: number) {
    this.#most = most;
    this.#mostBytes = mostBytes;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Whether the next one has to wait. */
  get isBusy(): boolean {
    return this.#running >= this.#most;
  }

  /** Whether one more, of that size, would be too much to keep. */
  isFull(bytes: number): boolean {
    return this.isBusy && this.#bytes + bytes > this.#mostBytes;
  }

  /** Runs it when its turn comes, unless the signal aborts before. */
  async run<T>(bytes: number, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
    if (this.#running < this.#most) this.#running += 1;
    else await this.#turn(bytes, signal);
    try {
      return await run();
    } finally {
      this.#next();
    }
  }

  async #turn(bytes: number, signal: AbortSignal): Promise<void> {
    const turn = Promise.withResolvers<void>();
    const waits = { go: turn.resolve, bytes };
    this.#waiting.add(waits);
    this.#bytes += bytes;
    try {
      await untilAborted(signal, () => turn.promise);
    } catch (error) {
      // Its turn may have come at the same moment.
      if (!this.#leave(waits)) this.#next();
      throw error;
    }
  }

  #leave(waits: { readonly go: () => void; readonly bytes: number }): boolean {
    if (!this.#waiting.delete(waits)) return false;
    this.#bytes -= waits.bytes;
    return true;
  }

  /** Who goes on takes the place of the one that has ended. */
  #next(): void {
    const [first] = this.#waiting;
    if (first === undefined) {
      this.#running -= 1;
      return;
    }
    this.#leave(first);
    first.go();
  }
}
