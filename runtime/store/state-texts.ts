import type { StateParts } from './durable-store.ts';
import { ALL_NUMBERS, type NewTexts, numbersIn, withoutMarks } from '../base/marked-text.ts';

interface Part {
  readonly text: string;
  readonly bytes: number;
}

const NO_PARTS: ReadonlyMap<number, Part> = new Map();

/** The long texts of a state that are kept on their own, by the numbers of their parts. */
export class StateTexts {
  readonly #parts: ReadonlyMap<number, Part>;
  /** What all states have in common whose numbers mean the same parts. */
  readonly #count: object;
  /** The highest number that was told since it counts like that: it counts upwards, so no part is taken for another. */
  readonly #highest: number;
  readonly bytes: number;

  private constructor(parts: ReadonlyMap<number, Part>, count: object, highest: number) {
    this.#parts = parts;
    this.#count = count;
    this.#highest = highest;
    let bytes = 0;
    for (const part of parts.values()) bytes += part.bytes;
    this.bytes = bytes;
  }

  /**
   * Those of a marked text that was told with `texts`, after `before`; `undefined` when a part is missing, has a number that
   * another one had, or is not what a thread tells.
   */
  static of(text: string, texts: NewTexts, before: StateTexts | undefined): StateTexts | undefined {
    const told = new Map<unknown, unknown>();
    for (let i = 0; i < texts.length; i += 2) told.set(texts[i], texts[i + 1]);
    const base = told.has(1) ? undefined : before;
    const known = base === undefined ? NO_PARTS : base.#parts;
    const last = base === undefined ? 0 : base.#highest;
    let highest = last;
    for (const number of told.keys()) {
      if (typeof number !== 'number' || !(number > last)) return undefined;
      highest = Math.max(highest, number);
    }
    const parts = new Map<number, Part>();
    for (const number of numbersIn(text)) {
      const part = parts.get(number) ?? partOf(told.get(number)) ?? known.get(number);
      if (part === undefined || !isNumber(number)) return undefined;
      parts.set(number, part);
    }
    if (base === undefined) return new StateTexts(parts, {}, highest);
    if (told.size === 0 && parts.size === known.size) return base;
    return new StateTexts(parts, base.#count, highest);
  }

  /** The whole text that a marked one stands for. */
  whole(text: string): string {
    return withoutMarks(text, (number) => (this.#parts.get(number) as Part).text);
  }

  /** The state for a store that has the texts of another one. */
  partsAfter(text: string, stored: StateTexts | undefined): StateParts {
    const isWhole = stored === undefined || stored.#count !== this.#count;
    const before = isWhole ? NO_PARTS : stored.#parts;
    const added: [number, string][] = [];
    for (const [number, part] of this.#parts) if (!before.has(number)) added.push([number, part.text]);
    return { text, isWhole, added, removed: [...before.keys()].filter((number) => !this.#parts.has(number)) };
  }

  /** Whether a store that has those of `stored` can have more parts of these, before it has their state. */
  hasMore(stored: StateTexts | undefined): boolean {
    if (stored === undefined || stored.#count !== this.#count || stored.#parts.size === 0) return false;
    for (const number of this.#parts.keys()) if (!stored.#parts.has(number)) return true;
    return false;
  }

  /** The next parts, of about so many characters, for a store that has those of `stored`; and what it has then. */
  next(
    stored: StateTexts,
    length: number,
  ): { readonly added: StateParts['added']; readonly stored: StateTexts } {
    const parts = new Map(stored.#parts);
    const added: [number, string][] = [];
    let left = length;
    for (const [number, part] of this.#parts) {
      if (left <= 0) break;
      if (parts.has(number)) continue;
      parts.set(number, part);
      added.push([number, part.text]);
      left -= part.text.length;
    }
    return { added, stored: new StateTexts(parts, stored.#count, this.#highest) };
  }

  /** The bytes of those parts. */
  bytesOf(numbers: Iterable<unknown>): number {
    let bytes = 0;
    for (const number of numbers) bytes += this.#parts.get(number as number)?.bytes ?? 0;
    return bytes;
  }
}

function partOf(told: unknown): Part | undefined {
  return typeof told === 'string' ? { text: told, bytes: Buffer.byteLength(told) } : undefined;
}

function isNumber(number: number): boolean {
  return Number.isInteger(number) && number > 0 && number < ALL_NUMBERS;
}
