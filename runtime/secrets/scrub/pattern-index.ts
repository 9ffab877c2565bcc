import { Overlaps, type Seen } from './overlaps.ts';

/** The units of the shortest pattern; shorter values turn up by chance. */
export const SHORTEST = 8;
/** The units that one look at the filter takes. */
const GRAM = 3;
/** The distance that a window moves whose end begins no pattern. */
const FARTHEST = SHORTEST - GRAM + 1;
/** At most 256 KB of filter, which stay in a processor's cache. */
const MOST_FILTER_BITS = 18;

/** The bits that tell a beginning of a pattern, of one, two and three units. */
const BEGIN_BITS = 12;
const BEGIN_MASK = (1 << BEGIN_BITS) - 1;

/** A place in a text. */
export interface Span {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** A place at which a pattern stands. */
export interface Match extends Span {
  /** Whether whatever follows belongs to the match. */
  readonly toTheEnd: boolean;
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
  /** The units of the shortest pattern. */
  readonly shortest: number;
  /** The units of the longest pattern. */
  readonly longest: number;
  /** Whether a pattern begins with a unit, with two, or with three. */
  readonly #begins = new Uint8Array(GRAM << BEGIN_BITS);
  /** The patterns by their first unit, of which the low byte counts; of each, where its own begin in the second. */
  readonly #firstOf = new Int32Array(0x101);
  readonly #byFirst: Int32Array;
  readonly #overlaps: Overlaps;

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
    this.longest = patterns.reduce((most, { length }) => Math.max(most, length), 0);
    this.shortest = patterns.reduce((fewest, { length }) => Math.min(fewest, length), this.longest);
    this.#byFirst = this.#sortedByFirst();
    this.#overlaps = new Overlaps(patterns);
  }

  #sortedByFirst(): Int32Array {
    const firstOf = this.#firstOf;
    const lowOf = (pattern: Uint16Array): number => (pattern[0] ?? 0) & 0xff;
    for (const pattern of this.#patterns)
      firstOf[lowOf(pattern) + 1] = (firstOf[lowOf(pattern) + 1] ?? 0) + 1;
    for (let low = 0; low < 0x100; low += 1) firstOf[low + 1] = (firstOf[low + 1] ?? 0) + (firstOf[low] ?? 0);
    const places = Int32Array.from(firstOf);
    const sorted = new Int32Array(this.#patterns.length);
    for (const [number, pattern] of this.#patterns.entries()) {
      const place = places[lowOf(pattern)] ?? 0;
      sorted[place] = number;
      places[lowOf(pattern)] = place + 1;
    }
    return sorted;
  }

  /** Whether a pattern has that unit. */
  mayHave(unit: number): boolean {
    return this.#units[Math.min(unit, 0x100)] === 1;
  }

  /** Whether a pattern may begin with that unit. */
  mayBegin(unit: number): boolean {
    return this.#begins[mixed(0, unit) & BEGIN_MASK] === 1;
  }

  #add(pattern: Uint16Array, number: number): void {
    for (const unit of pattern) this.#units[Math.min(unit, 0x100)] = 1;
    for (let at = 0; at < FARTHEST; at += 1) {
      const [a = 0, b = 0, c = 0] = pattern.subarray(at, at + GRAM);
      const gram = gramHash(a, b, c, this.#shiftBits);
      this.#shift[gram] = Math.min(this.#shift[gram] ?? 0, FARTHEST - 1 - at);
    }
    let hash = 0;
    for (let at = 0; at < SHORTEST; at += 1) {
      hash = mixed(hash, pattern[at] ?? 0);
      if (at < GRAM) this.#begins[(at << BEGIN_BITS) + (hash & BEGIN_MASK)] = 1;
    }
    const bucket = this.#bucket(hash);
    this.#hashes[number] = hash;
    this.#next[number] = this.#heads[bucket] ?? -1;
    this.#heads[bucket] = number;
  }

  #bucket(hash: number): number {
    return (hash ^ (hash >>> 15)) & (this.#heads.length - 1);
  }

  /**
   * The first match that begins at `from` or later; of several that begin there, the longest. Whoever goes on with the
   * search of a text passes on what was seen of it.
   */
  find(text: string, from = 0, seen: Seen = new Map()): Match | undefined {
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
        const found = this.#longestAt(text, start, seen);
        if (found !== undefined) return found;
        start += 1;
      }
    }
    return undefined;
  }

  /** Whether {@link PatternIndex.find} may find something in bytes that are a unit each. Faster. */
  mayFind(bytes: Buffer): boolean {
    const shift = this.#shift;
    const bits = this.#shiftBits;
    const last = bytes.length - SHORTEST;
    let start = 0;
    while (start <= last) {
      const a = bytes[start + SHORTEST - 3] as number;
      const b = bytes[start + SHORTEST - 2] as number;
      const step = shift[gramHash(a, b, bytes[start + SHORTEST - 1] as number, bits)] as number;
      if (step === 0) {
        let hash = 0;
        for (let at = start; at < start + SHORTEST; at += 1) hash = mixed(hash, bytes[at] as number);
        let number = this.#heads[this.#bucket(hash)] as number;
        while (number >= 0 && this.#hashes[number] !== hash) number = this.#next[number] as number;
        if (number >= 0) return true;
      }
      start += step === 0 ? 1 : step;
    }
    return false;
  }

  #longestAt(text: string, start: number, seen: Seen): Match | undefined {
    let hash = 0;
    for (let at = start; at < start + SHORTEST; at += 1) hash = mixed(hash, text.charCodeAt(at));
    let longest = 0;
    let toTheEnd = false;
    let number = this.#heads[this.#bucket(hash)] as number;
    for (; number >= 0; number = this.#next[number] as number) {
      if (this.#hashes[number] !== hash) continue;
      const pattern = this.#patterns[number] as Uint16Array;
      if (pattern.length <= longest || pattern.length > text.length - start) continue;
      if (this.#overlaps.standing(number, text, start, seen) < pattern.length) continue;
      toTheEnd ||= this.#toTheEnd(pattern);
      longest = toTheEnd ? text.length - start : pattern.length;
    }
    return longest === 0 ? undefined : { start, end: start + longest, toTheEnd };
  }

  /**
   * The first place from which the text, up to its end, is the beginning of a pattern and not all of it; the text's
   * length when there is none. What stands before that place becomes no match by what follows the text.
   */
  partial(text: string): number {
    const begins = this.#begins;
    const end = text.length;
    const first = Math.max(0, end - this.longest + 1);
    let at = end;
    while (at > first && this.mayHave(text.charCodeAt(at - 1))) at -= 1;
    const seen: Seen = new Map();
    for (; at < end; at += 1) {
      let hash = 0;
      let units = 0;
      const most = Math.min(GRAM, end - at);
      while (units < most) {
        hash = mixed(hash, text.charCodeAt(at + units));
        if (begins[(units << BEGIN_BITS) + (hash & BEGIN_MASK)] === 0) break;
        units += 1;
      }
      if (units === most && this.#beginsAt(text, at, seen)) return at;
    }
    return end;
  }

  #beginsAt(text: string, start: number, seen: Seen): boolean {
    const low = text.charCodeAt(start) & 0xff;
    const left = text.length - start;
    const end = this.#firstOf[low + 1] as number;
    for (let place = this.#firstOf[low] as number; place < end; place += 1) {
      const number = this.#byFirst[place] as number;
      if ((this.#patterns[number] as Uint16Array).length <= left) continue;
      if (this.#overlaps.standing(number, text, start, seen) === left) return true;
    }
    return false;
  }
}

function gramHash(a: number, b: number, c: number, bits: number): number {
  return Math.imul((a << 16) ^ (b << 8) ^ c, 0x9e3779b1) >>> (32 - bits);
}

function mixed(hash: number, unit: number): number {
  return Math.imul(hash ^ unit, 0x01000193);
}
