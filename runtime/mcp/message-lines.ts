/** A line that came whole, or the ends of one that was too long to keep. */
export type Line =
  | { readonly text: string; readonly length: number }
  | { readonly begin: string; readonly end: string; readonly length: number };

/** The bytes that are kept of each end of a line that is too long: an `id` of JSON-RPC stands in one of them. */
const ENDS = 256;
/** The bytes that a line is expected to have. */
const EXPECTED = 4096;

const NEWLINE = 10;

/** Cuts a stream of bytes into lines of UTF-8. Of one longer than `most` bytes it keeps the ends, so that memory stays bounded. */
export class MessageLines {
  readonly #most: number;
  readonly #told: (line: Line) => void;
  #held = Buffer.alloc(0);
  #length = 0;
  /** The ends of a line that is too long. */
  #begin: string | undefined;
  #end = '';

  constructor(most: number, told: (line: Line) => void) {
    this.#most = most;
    this.#told = told;
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      this.#add(chunk.subarray(from, at));
      from = at + 1;
      this.#over();
    }
    if (from < chunk.length) this.#add(chunk.subarray(from));
  }

  #add(part: Buffer): void {
    const before = this.#length;
    this.#length += part.length;
    if (this.#length <= this.#most) {
      this.#room(this.#length);
      part.copy(this.#held, before);
      return;
    }
    if (this.#begin === undefined) {
      const held = this.#held.toString('latin1', 0, before);
      this.#begin = held.slice(0, ENDS);
      this.#end = held.slice(-ENDS);
      this.#held = Buffer.alloc(0);
    }
    this.#begin += part.toString('latin1', 0, ENDS - this.#begin.length);
    this.#end = (this.#end + part.toString('latin1', Math.max(0, part.length - ENDS))).slice(-ENDS);
  }

  /** Twice as much each time, so that a line in many pieces is copied no more than twice. */
  #room(length: number): void {
    if (length <= this.#held.length) return;
    const more = Buffer.alloc(Math.min(this.#most, Math.max(length, EXPECTED, this.#held.length * 2)));
    this.#held.copy(more);
    this.#held = more;
  }

  #over(): void {
    const [begin, end, length] = [this.#begin, this.#end, this.#length];
    const text = begin === undefined ? this.#held.toString('utf8', 0, length) : '';
    // A long line is no reason to keep as much for all that follow.
    if (this.#held.length > EXPECTED) this.#held = Buffer.alloc(0);
    this.#length = 0;
    this.#begin = undefined;
    this.#end = '';
    if (begin !== undefined) this.#told({ begin, end, length });
    else if (length > 0) this.#told({ text, length });
  }
}
