import { cutList, mayHaveLists } from './byte-lists.ts';
import type { PatternIndex } from './pattern-index.ts';
import { nothing, searched } from './searched.ts';
import { redacted } from './spans.ts';
import { isEscaped, mayBeEscaped } from './unescape.ts';

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
  const pushed = (bytes: Buffer): Uint8Array => {
    const passing = text.calm(bytes) ?? text.passing(bytes.toString('latin1'));
    if (passing === undefined) return bytesOf(text.take(bytes.toString('latin1')));
    return passing === bytes.length ? bytes : bytes.subarray(0, passing);
  };
  return {
    push(chunk) {
      const bytes = Buffer.isBuffer(chunk)
        ? chunk
        : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      if (!text.isHolding || bytes.length <= PIECE) {
        const shown = pushed(bytes);
        return shown === bytes ? chunk : shown;
      }
      // What is held joins the beginning alone, so that the rest can go on without a look at its text.
      const parts: Uint8Array[] = [];
      let at = 0;
      for (; text.isHolding && at < bytes.length; at += PIECE)
        parts.push(pushed(bytes.subarray(at, at + PIECE)));
      if (at < bytes.length) parts.push(pushed(bytes.subarray(at)));
      return joined(parts);
    },
    end: () => bytesOf(text.end()),
    get held() {
      return text.held;
    },
  };
}

/** The bytes of a chunk that are looked at with what is held. */
const PIECE = 512;

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

/** Memory of their own, because they may be moved to a thread. */
function bytesOf(units: string): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(units.length);
  bytes.write(units, 'latin1');
  return bytes;
}

/** The units that are held when small chunks are no longer searched one by one: with each all of them are. */
const MUCH = 4096;
/** The part of what is held that has to have come before it is searched again. */
const ENOUGH = 1 / 16;
/** The characters, at the end of a chunk, in which a doubled quote is looked for. */
const DOUBLED = 8;
/** The most units that are held back, for each unit of the longest form of a value: escapes take several. */
const MOST_FOR_UNIT = 8;

class StreamedText {
  readonly #patterns: Patterns;
  /** The text from a place at which no escape was cut. */
  #kept = '';
  /** The units at its head that have gone on, and what is needed to read the others. */
  #gone = 0;
  /** The units at its head that have gone on, or belong to a value whose mark has. */
  #done = 0;
  /** What has come since and was not searched. */
  #waiting = '';
  #isSwallowed = false;

  constructor(patterns: Patterns) {
    this.#patterns = patterns;
  }

  /** Whether something is kept that what comes is to be read with. */
  get isHolding(): boolean {
    return this.#kept !== '';
  }

  get held(): number {
    return this.#kept.length - this.#gone + this.#waiting.length;
  }

  /**
   * The same as {@link StreamedText.passing}, told without a string of all of the chunk; undefined also when that
   * cannot be told so.
   */
  calm(chunk: Buffer): number | undefined {
    if (this.#kept !== '' || this.#isSwallowed) return undefined;
    const patterns = this.#patterns();
    if (patterns === undefined) return chunk.length;
    if (mayBeEscaped(chunk, patterns) || mayHaveLists(chunk) || patterns.mayFind(chunk)) return undefined;
    const end = chunk.toString('latin1', Math.max(0, chunk.length - patterns.longest));
    // A doubled quote may be of a list that has just begun.
    if (end.includes('""', end.length - DOUBLED)) return undefined;
    const list = cutList(end, patterns);
    const limit = Math.min(patterns.partial(end), list?.at ?? end.length);
    const from = Math.min(limit, list?.from ?? end.length);
    if (from === 0 && end.length < chunk.length) return undefined;
    this.#kept = end.slice(from);
    this.#gone = limit - from;
    this.#done = this.#gone;
    return chunk.length - end.length + limit;
  }

  /** The units of `chunk` that go on as they are, when no more than an end of it has to be held back. */
  passing(chunk: string): number | undefined {
    if (this.#kept !== '' || this.#isSwallowed) return undefined;
    const patterns = this.#patterns();
    if (patterns === undefined) return chunk.length;
    if (patterns.find(chunk) !== undefined) return undefined;
    if (isEscaped(chunk, patterns, { isPart: true, goesOn: true })) return undefined;
    if (cutList(chunk, patterns) !== undefined) return undefined;
    const passing = patterns.partial(chunk);
    this.#kept = chunk.slice(passing);
    return passing;
  }

  /** What goes on of all that came so far. */
  take(chunk: string): string {
    this.#waiting += chunk;
    if (this.#kept.length > MUCH && this.#waiting.length < this.#kept.length * ENOUGH) return '';
    return this.#searched(true);
  }

  end(): string {
    return this.#searched(false);
  }

  #searched(goesOn: boolean): string {
    const text = this.#kept + this.#waiting;
    this.#waiting = '';
    if (this.#isSwallowed) return '';
    const patterns = this.#patterns();
    const seen = patterns === undefined ? nothing(text) : searched(text, patterns, goesOn);
    const most = patterns === undefined ? 0 : patterns.longest * MOST_FOR_UNIT + MUCH;
    const limit = Math.max(seen.limit, this.#gone, text.length - most);
    const { text: out, done, toTheEnd } = redacted(text, seen.spans, this.#done, limit);
    const from = seen.boundaryBefore(limit);
    this.#isSwallowed = toTheEnd;
    this.#kept = toTheEnd ? '' : text.slice(from);
    this.#gone = toTheEnd ? 0 : limit - from;
    this.#done = done - from;
    return out;
  }
}
