import { WINDOW_BYTES, WINDOW_CHUNKS } from '../mailbox/stream-window.ts';

/** The parts of one call that are on the way to a reader: as many as those of a stream at home. */
export class PartWindow {
  /** The bytes of each part that was not taken, from the first one on. */
  readonly #sizes: number[] = [];
  #bytes = 0;
  #waiting: (() => void)[] = [];
  #over = false;

  /** A part leaves; returns what resolves when there is room for another, or nobody reads any more, unless there is. */
  add(bytes: number): Promise<void> | undefined {
    this.#sizes.push(bytes);
    this.#bytes += bytes;
    if (this.hasRoom) return undefined;
    return new Promise((resolve) => void this.#waiting.push(resolve));
  }

  get hasRoom(): boolean {
    return this.#over || (this.#sizes.length < WINDOW_CHUNKS && this.#bytes < WINDOW_BYTES);
  }

  /** The reader has taken so many; returns whether there were as many. */
  taken(count: number): boolean {
    const sizes = this.#sizes.splice(0, count);
    for (const bytes of sizes) this.#bytes -= bytes;
    if (this.hasRoom) this.#letGo();
    return sizes.length === count;
  }

  /** Nobody reads any more. */
  close(): void {
    this.#over = true;
    this.#letGo();
  }

  #letGo(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
