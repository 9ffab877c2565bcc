import type { PatternIndex } from './pattern-index.ts';
import { REDACTED } from './redacted-copy.ts';
import { mayBeRead } from './unescape.ts';
import { endOfTail } from './stretches.ts';
import { isCalmEnd, spansIn, spansSoFar, type SpansSoFar } from './value-spans.ts';

/** Takes values out of what comes in chunks, wherever it is cut. */
export interface ScrubStream<Chunk extends string | Uint8Array> {
  /**
   * What may go on of all that came so far: `chunk` itself when there is nothing to take out and nothing to hold back.
   * Only what may be the beginning of a value is held back, until the next chunk. Base64 and hex of a form of a value are
   * not looked into, as they are in an answer that is whole: images come in base64, and would take the host a
   * millisecond a kilobyte.
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
      const out = text.take(chunk);
      return typeof out === 'string' ? out : chunk.slice(0, out);
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
    const out = text.calm(bytes) ?? text.take(bytes.toString('latin1'));
    if (typeof out === 'string') return bytesOf(out);
    return out === bytes.length ? bytes : bytes.subarray(0, out);
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
      while (text.isHolding && at < bytes.length) {
        const from = at;
        at = endOfTail(bytes, from + PIECE);
        parts.push(pushed(bytes.subarray(from, at)));
      }
      if (at < bytes.length) parts.push(pushed(bytes.subarray(at)));
      return joined(parts);
    },
    end: () => bytesOf(text.end()),
    get held() {
      return text.held;
    },
  };
}

/** The bytes of a chunk that are looked at with what is held, and some more, up to where nothing is cut. */
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
/** The most units that are held back, in lengths of the longest form, and those that may be in any case. */
const MOST_FORMS = 8;
const FREE = 64 * 1024;

class StreamedText {
  readonly #patterns: Patterns;
  /** The text from a place at which it can be cut. */
  #kept = '';
  /** The units at its head that have gone on, and are needed to read the others. */
  #gone = 0;
  /** The units at its head that have gone on, or belong to a value whose mark has. */
  #done = 0;
  /** Whether the last of these belong to a value. */
  #isMarked = false;
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
   * The units of a chunk that go on as they are, told without a string of all of it; undefined when that cannot be told
   * so.
   */
  calm(chunk: Buffer): number | undefined {
    if (this.#kept !== '' || this.#isSwallowed) return undefined;
    const patterns = this.#patterns();
    if (patterns === undefined) return chunk.length;
    if (mayBeRead(chunk, patterns) || patterns.mayFind(chunk)) return undefined;
    const end = chunk.toString('latin1', Math.max(0, chunk.length - patterns.longest));
    if (isCalmEnd(end, patterns)) return chunk.length;
    const found = spansSoFar(end, patterns);
    if (found === undefined) return chunk.length;
    if (found.spans.length > 0 || (found.from === 0 && end.length < chunk.length)) return undefined;
    this.#kept = end.slice(found.from);
    this.#gone = found.limit - found.from;
    this.#done = this.#gone;
    this.#isMarked = false;
    return chunk.length - end.length + found.limit;
  }

  /** What goes on of all that came so far, or the units of `chunk` that go on as they are. */
  take(chunk: string): string | number {
    if (this.#isSwallowed) return '';
    this.#waiting += chunk;
    if (this.#kept.length > MUCH && this.#waiting.length < this.#kept.length * ENOUGH) return '';
    const patterns = this.#patterns();
    const isAll = this.#kept.length === this.#gone && this.#waiting === chunk;
    const before = this.#gone;
    const text = this.#kept + this.#waiting;
    const all = { spans: [], limit: text.length, from: text.length };
    const found = (patterns && spansSoFar(text, patterns)) ?? all;
    const out = this.#upTo(text, found);
    if (patterns !== undefined && this.held > patterns.longest * MOST_FORMS + FREE) {
      // What goes on as the beginning of a value for so long is taken for one, and the text that follows for its rest.
      const mark = this.#done < this.#kept.length ? REDACTED : '';
      this.#end();
      this.#isSwallowed = true;
      return out + mark;
    }
    return isAll && found.spans.length === 0 ? Math.max(found.limit, before) - before : out;
  }

  end(): string {
    if (this.#isSwallowed) return '';
    const [text, patterns] = [this.#kept + this.#waiting, this.#patterns()];
    const spans = patterns === undefined ? [] : spansIn(text, patterns, false);
    const out = this.#upTo(text, { spans, limit: text.length, from: text.length });
    this.#end();
    return out;
  }

  #end(): void {
    this.#kept = '';
    this.#waiting = '';
    this.#gone = 0;
    this.#done = 0;
    this.#isMarked = false;
  }

  /**
   * A span that begins at `limit` or before it is certain: all that begin before it have ended. Its mark goes on at
   * once, and what it covers behind `limit` may still grow.
   */
  #upTo(text: string, { spans, limit, from }: SpansSoFar): string {
    let out = '';
    let done = this.#done;
    for (const { start, end, toTheEnd } of spans) {
      if (start > limit) break;
      if (start >= done) out += text.slice(done, start) + REDACTED;
      else if (end > done && !this.#isMarked) out += REDACTED;
      if (end > done || start >= done) this.#isMarked = true;
      done = Math.max(done, end);
      this.#isSwallowed ||= toTheEnd;
    }
    if (done < limit) {
      out += text.slice(done, limit);
      done = limit;
      this.#isMarked = false;
    }
    const gone = Math.max(limit, this.#gone);
    const cut = Math.min(from, gone);
    this.#kept = text.slice(cut);
    this.#waiting = '';
    this.#gone = gone - cut;
    this.#done = done - cut;
    if (this.#isSwallowed) this.#end();
    return out;
  }
}
