import { NobodyReads } from '../base/nobody-reads.ts';
import { LARGEST_PART, MOST_PARTS } from '../wire/request-bodies.ts';

interface Part {
  /** Undefined: that was all. */
  readonly bytes: Uint8Array | undefined;
  readonly taken: (more: boolean) => void;
}

/**
 * The body of a request, which a thread sends in parts. Each part is answered when the service's socket has taken it, so
 * that no more waits here than the thread has under way.
 */
export class UploadBody implements AsyncIterable<Uint8Array> {
  readonly #parts: Part[] = [];
  #wanted: (() => void) | undefined;
  #closed = false;

  /** Resolves with whether more is wanted, when this part was taken; `undefined`: it is none that a thread sends. */
  push(bytes: Uint8Array | undefined): Promise<boolean> | undefined {
    if (this.#parts.length >= MOST_PARTS || (bytes?.byteLength ?? 0) > LARGEST_PART) return undefined;
    if (this.#closed) return Promise.resolve(false);
    return new Promise((taken) => {
      this.#parts.push({ bytes, taken });
      this.#wanted?.();
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    let part: Part | undefined;
    try {
      for (part = await this.#next(); part.bytes !== undefined; part = await this.#next()) {
        yield part.bytes;
        part.taken(true);
      }
      part.taken(true);
    } finally {
      // Does nothing where it was answered.
      part?.taken(false);
      this.close();
    }
  }

  /** Throws when the rest does not come: a body that was cut off must not look whole. */
  async #next(): Promise<Part> {
    while (!this.#closed) {
      const part = this.#parts.shift();
      if (part !== undefined) return part;
      await new Promise<void>((wanted) => {
        this.#wanted = wanted;
      });
    }
    throw new NobodyReads();
  }

  /** Takes nothing more, and says so to whoever waits. */
  close(): void {
    this.#closed = true;
    for (const { taken } of this.#parts.splice(0)) taken(false);
    this.#wanted?.();
  }
}
