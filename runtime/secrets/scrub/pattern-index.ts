import { Overlaps, type Seen } from './overlaps.ts';

/** The units of the shortest pattern; shorter values turn up by chance. */
export const SHORTEST = 8;
/** The units that one look at the filter takes. */
const GRAM = 3;
/** The most units of the window: longer ones take no fewer looks, because more of them end like a part of a pattern. */
const WIDEST = 32;
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
 * the window may move on, which has the units of the shortest pattern, but 32 at most; where it may not, a table of
 * eight-unit prefixes names the candidates. Patterns and tables are typed arrays, so that a heap snapshot shows none of
 * them.
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
  /** The units of the window. */
  readonly #window: number;
  /** Whether a pattern has three units beside each other, by their hash. */
  readonly #grams: Uint8Array;
  readonly #gramBits: number;

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
    this.longest = patterns.reduce((most, { length }) => Math.max(most, length), 0);
    this.shortest = patterns.reduce((fewest, { length }) => Math.min(fewest, length), this.longest);
    this.#window = Math.min(WIDEST, Math.max(SHORTEST, this.shortest));
    const farthest = this.#window - GRAM + 1;
    this.#shiftBits = filterBits(patterns.length * farthest);
    this.#shift = new Uint8Array(1 << this.#shiftBits).fill(farthest);
    this.#gramBits = filterBits(patterns.reduce((sum, { length }) => sum + length, 0));
    this.#grams = new Uint8Array(1 << this.#gramBits);
    this.#heads = new Int32Array(1 << Math.ceil(Math.log2(patterns.length * 2 + 2))).fill(-1);
    this.#next = new Int32Array(patterns.length).fill(-1);
    this.#hashes = new Int32Array(patterns.length);
    for (const [number, pattern] of patterns.entries()) this.#add(pattern, number);
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
    let [a, b] = [0, 0];
    for (let at = 0; at < pattern.length; at += 1) {
      const c = pattern[at] as number;
      this.#units[Math.min(c, 0x100)] = 1;
      if (at >= GRAM - 1) {
        this.#grams[gramHash(a, b, c, this.#gramBits)] = 1;
        const step = this.#window - 1 - at;
        const gram = gramHash(a, b, c, this.#shiftBits);
        if (step >= 0 && step < (this.#shift[gram] as number)) this.#shift[gram] = step;
      }
      [a, b] = [b, c];
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
    const window = this.#window;
    const last = text.length - window;
    let start = from;
    while (start <= last) {
      const end = start + window;
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
    const { length } = bytes;
    // The last unit of the window.
    let at = this.#window - 1;
    while (at < length) {
      const a = bytes[at - 2] as number;
      const step = shift[gramHash(a, bytes[at - 1] as number, bytes[at] as number, bits)] as number;
      if (step === 0 && this.#mayStandAt(bytes, at + 1 - this.#window)) return true;
      at += step === 0 ? 1 : step;
    }
    return false;
  }

  #mayStandAt(bytes: Buffer, start: number): boolean {
    let hash = 0;
    for (let at = start; at < start + SHORTEST; at += 1) hash = mixed(hash, bytes[at] as number);
    let number = this.#heads[this.#bucket(hash)] as number;
    while (number >= 0 && this.#hashes[number] !== hash) number = this.#next[number] as number;
    return number >= 0;
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
    // A beginning that goes on to the end has only grams of patterns.
    while (at - GRAM >= first && this.#hasGram(text, at - GRAM)) at -= GRAM;
    at = Math.max(first, at - GRAM + 1);
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

  #hasGram(text: string, at: number): boolean {
    const [a, b, c] = [text.charCodeAt(at), text.charCodeAt(at + 1), text.charCodeAt(at + 2)];
    return this.#grams[gramHash(a, b, c, this.#gramBits)] === 1;
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

/** The bits of a filter in which few of so many grams share a place. */
function filterBits(grams: number): number {
  return Math.min(MOST_FILTER_BITS, Math.max(10, Math.ceil(Math.log2(grams * 8 + 1))));
}

function gramHash(a: number, b: number, c: number, bits: number): number {
  return Math.imul((a << 16) ^ (b << 8) ^ c, 0x9e3779b1) >>> (32 - bits);
}

function mixed(hash: number, unit: number): number {
  return Math.imul(hash ^ unit, 0x01000193);
}
