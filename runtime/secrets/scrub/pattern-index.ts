/** The units of the shortest pattern; shorter values turn up by chance. */
export const SHORTEST = 8;
/** The units that one look at the filter takes. */
const GRAM = 3;
/** The distance that a window moves whose end begins no pattern. */
const FARTHEST = SHORTEST - GRAM + 1;
/** At most 256 KB of filter, which stay in a processor's cache. */
const MOST_FILTER_BITS = 18;

/** A place in a text. */
export interface Span {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/**
 * Finds any of many patterns in one pass over a text (Wu and Manber 1994). A filter of three-unit grams says how far
 * the window of eight units may move on, which mostly is six; where it may not, a table of eight-unit prefixes names
 * the candidates. Patterns and tables are typed arrays, so that a heap snapshot shows none of them.
 */
export class PatternIndex {
  readonly #patterns: readonly Uint16Array[];
  readonly #toTheEnd: (pattern: Uint16Array) => boolean;
  readonly #shift: Uint8Array;
  readonly #shiftBits: number;
  readonly #heads: Int32Array;
  readonly #next: Int32Array;
  readonly #hashes: Int32Array;
  /** Whether a unit stands in a pattern. All units that do not fit share one place. */
  readonly #units = new Uint8Array(0x101);
  /** Whether a pattern that is searched for as it is has a space. */
  readonly hasSpace: boolean;

  /**
   * Each pattern has eight UTF-16 units or more. A pattern for which `toTheEnd` is true reaches to the end of the
   * text.
   */
  constructor(
    patterns: readonly Uint16Array[],
    toTheEnd: (pattern: Uint16Array) => boolean = () => false,
    hasSpace = false,
  ) {
    this.#patterns = patterns;
    this.hasSpace = hasSpace;
    this.#toTheEnd = toTheEnd;
    const grams = patterns.length * FARTHEST;
    this.#shiftBits = Math.min(MOST_FILTER_BITS, Math.max(10, Math.ceil(Math.log2(grams * 8 + 1))));
    this.#shift = new Uint8Array(1 << this.#shiftBits).fill(FARTHEST);
    this.#heads = new Int32Array(1 << Math.ceil(Math.log2(patterns.length * 2 + 2))).fill(-1);
    this.#next = new Int32Array(patterns.length).fill(-1);
    this.#hashes = new Int32Array(patterns.length);
    for (const [number, pattern] of patterns.entries()) this.#add(pattern, number);
  }

  /** Whether a pattern has that unit. */
  mayHave(unit: number): boolean {
    return this.#units[Math.min(unit, 0x100)] === 1;
  }

  #add(pattern: Uint16Array, number: number): void {
    for (const unit of pattern) this.#units[Math.min(unit, 0x100)] = 1;
    for (let at = 0; at < FARTHEST; at += 1) {
      const [a = 0, b = 0, c = 0] = pattern.subarray(at, at + GRAM);
      const gram = gramHash(a, b, c, this.#shiftBits);
      this.#shift[gram] = Math.min(this.#shift[gram] ?? 0, FARTHEST - 1 - at);
    }
    let hash = 0;
    for (let at = 0; at < SHORTEST; at += 1) hash = mixed(hash, pattern[at] ?? 0);
    const bucket = this.#bucket(hash);
    this.#hashes[number] = hash;
    this.#next[number] = this.#heads[bucket] ?? -1;
    this.#heads[bucket] = number;
  }

  #bucket(hash: number): number {
    return (hash ^ (hash >>> 15)) & (this.#heads.length - 1);
  }

  /** The first match that begins at `from` or later; of several that begin there, the longest. */
  find(text: string, from = 0): Span | undefined {
    const shift = this.#shift;
    const bits = this.#shiftBits;
    const last = text.length - SHORTEST;
    let start = from;
    while (start <= last) {
      const end = start + SHORTEST;
      const a = text.charCodeAt(end - 3);
      const gram = gramHash(a, text.charCodeAt(end - 2), text.charCodeAt(end - 1), bits);
      const step = shift[gram] as number;
      if (step > 0) {
        start += step;
      } else {
        const length = this.#longestAt(text, start);
        if (length > 0) return { start, end: start + length };
        start += 1;
      }
    }
    return undefined;
  }

  #longestAt(text: string, start: number): number {
    let hash = 0;
    for (let at = start; at < start + SHORTEST; at += 1) hash = mixed(hash, text.charCodeAt(at));
    let longest = 0;
    let number = this.#heads[this.#bucket(hash)] as number;
    for (; number >= 0; number = this.#next[number] as number) {
      if (this.#hashes[number] !== hash) continue;
      const pattern = this.#patterns[number] as Uint16Array;
      if (pattern.length > longest && standsAt(pattern, text, start)) {
        longest = this.#toTheEnd(pattern) ? text.length - start : Math.max(longest, pattern.length);
      }
    }
    return longest;
  }
}

function standsAt(pattern: Uint16Array, text: string, start: number): boolean {
  if (pattern.length > text.length - start) return false;
  for (let at = 0; at < pattern.length; at += 1) {
    if (text.charCodeAt(start + at) !== pattern[at]) return false;
  }
  return true;
}

function gramHash(a: number, b: number, c: number, bits: number): number {
  return Math.imul((a << 16) ^ (b << 8) ^ c, 0x9e3779b1) >>> (32 - bits);
}

function mixed(hash: number, unit: number): number {
  return Math.imul(hash ^ unit, 0x01000193);
}
