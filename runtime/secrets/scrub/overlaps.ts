/** By the number of a pattern: where it was seen to stand in a text last, and how many units of it. */
export type Seen = Map<number, { start: number; units: number }>;

/** The units that have to be the same before it is worth knowing: patterns of random characters share fewer. */
const WORTH_KNOWING = 32;

/**
 * Compares patterns with a text at one place after the other. A pattern that repeats itself (`aaaa…b`) stands almost
 * whole at each of many places; what one comparison has shown is not compared again at the next (Knuth, Morris and
 * Pratt 1977), so that the time for a text does not grow with the length of a pattern.
 */
export class Overlaps {
  readonly #patterns: readonly Uint16Array[];
  /** By the number of a pattern, made when it is needed: for each count of units the most with which they begin and end. */
  readonly #borders = new Map<number, Int32Array>();

  constructor(patterns: readonly Uint16Array[]) {
    this.#patterns = patterns;
  }

  /**
   * The units of a pattern that stand at `start`, as far as the text goes; 0 may stand for any number that is less than
   * the text and the pattern have. With the same `seen` places are asked for in their order.
   */
  standing(number: number, text: string, start: number, seen: Seen): number {
    const pattern = this.#patterns[number] as Uint16Array;
    let units = seen.size === 0 ? 0 : this.#known(number, start, seen);
    if (units < 0) return 0;
    const most = Math.min(pattern.length, text.length - start);
    while (units < most && text.charCodeAt(start + units) === pattern[units]) units += 1;
    if (units >= WORTH_KNOWING) seen.set(number, { start, units });
    return units;
  }

  /** The units that are known to stand at `start`; -1 when it is known that a part of the text there differs. */
  #known(number: number, start: number, seen: Seen): number {
    const last = seen.get(number);
    if (last === undefined || last.start + last.units <= start) return 0;
    const borders = this.#bordersOf(number);
    while (last.start < start && last.units > 0) {
      const next = borders[last.units] as number;
      last.start += last.units - next;
      last.units = next;
    }
    return last.start === start ? last.units : -1;
  }

  #bordersOf(number: number): Int32Array {
    const made = this.#borders.get(number);
    if (made !== undefined) return made;
    const pattern = this.#patterns[number] as Uint16Array;
    const borders = new Int32Array(pattern.length + 1);
    let border = 0;
    for (let units = 2; units <= pattern.length; units += 1) {
      while (border > 0 && pattern[units - 1] !== pattern[border]) border = borders[border] as number;
      if (pattern[units - 1] === pattern[border]) border += 1;
      borders[units] = border;
    }
    this.#borders.set(number, borders);
    return borders;
  }
}
