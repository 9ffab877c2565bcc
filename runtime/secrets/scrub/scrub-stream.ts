import type { PatternIndex } from './pattern-index.ts';
import { REDACTED } from './redacted-copy.ts';

/** Takes values out of what comes in chunks, wherever it is cut. */
export interface ScrubStream<Chunk extends string | Uint8Array> {
  /**
   * What may go on of all that came so far: `chunk` itself when there is nothing to take out and nothing to hold back.
   * Only what may be the beginning of a value is held back, until the next chunk.
   */
  push(chunk: Chunk): Chunk;
  /** What was held back. No chunk may follow. */
  end(): Chunk;
  /** The bytes or UTF-16 units that are held back. */
  readonly held: number;
}

/** A value that is learned while a stream goes on is searched for from the next chunk. */
type Patterns = () => PatternIndex | undefined;

/** The stream of a text. */
export function textStream(patterns: Patterns): ScrubStream<string> {
  const text = new StreamedText(patterns);
  return {
    push(chunk) {
      const passing = text.passing(chunk);
      return passing === undefined ? text.take(chunk) : chunk.slice(0, passing);
    },
    end: () => text.end(),
    get held() {
      return text.held;
    },
  };
}

/** The stream of bytes. Each is a unit, so that characters may be cut and texts may have any encoding. */
export function byteStream(patterns: Patterns): ScrubStream<Uint8Array> {
  const text = new StreamedText(patterns);
  return {
    push(chunk) {
      const units = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
      const passing = text.passing(units);
      if (passing === undefined) return bytesOf(text.take(units));
      return passing === chunk.byteLength ? chunk : chunk.subarray(0, passing);
    },
    end: () => bytesOf(text.end()),
    get held() {
      return text.held;
    },
  };
}

/** Memory of their own, because they may be moved to a thread. */
function bytesOf(units: string): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(units.length);
  bytes.write(units, 'latin1');
  return bytes;
}

class StreamedText {
  readonly #patterns: Patterns;
  #held = '';
  /** The units at the head of what is held that belong to a value whose mark has gone on. */
  #covered = 0;
  #isSwallowed = false;

  constructor(patterns: Patterns) {
    this.#patterns = patterns;
  }

  get held(): number {
    return this.#held.length;
  }

  /** The units of `chunk` that go on as they are, when no more than an end of it has to be held back. */
  passing(chunk: string): number | undefined {
    if (this.#held !== '' || this.#isSwallowed) return undefined;
    const patterns = this.#patterns();
    if (patterns === undefined) return chunk.length;
    if (patterns.find(chunk) !== undefined) return undefined;
    const passing = patterns.partial(chunk);
    this.#held = chunk.slice(passing);
    return passing;
  }

  /** What goes on of all that came so far. */
  take(chunk: string): string {
    const text = this.#held + chunk;
    return this.#upTo(text, this.#patterns()?.partial(text) ?? text.length);
  }

  end(): string {
    return this.#upTo(this.#held, this.#held.length);
  }

  /**
   * A match that begins at `limit` or before it is certain: all that begin before it have ended. Its mark goes on at
   * once, and what it covers behind `limit` may still grow.
   */
  #upTo(text: string, limit: number): string {
    if (this.#isSwallowed) return '';
    const patterns = this.#patterns();
    let out = '';
    let done = this.#covered;
    const seen = new Map();
    let match = patterns?.find(text, 0, seen);
    while (match !== undefined && match.start <= limit) {
      if (match.start >= done) out += text.slice(done, match.start) + REDACTED;
      done = Math.max(done, match.end);
      this.#isSwallowed ||= match.toTheEnd;
      match = patterns?.find(text, match.start + 1, seen);
    }
    if (done < limit) {
      out += text.slice(done, limit);
      done = limit;
    }
    this.#held = this.#isSwallowed ? '' : text.slice(limit);
    this.#covered = done - limit;
    return out;
  }
}
