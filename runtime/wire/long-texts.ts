import { ALL_NUMBERS, MARK, type NewTexts } from '../base/marked-text.ts';

/** The characters from which on a text in a state is told and kept on its own, so that it need not be written again. */
export const LONG = 1024;
/** Fewer characters in long texts than this are not worth it. */
export const MANY = 4096;
/** The most characters of one part, so that no commit is long because of one text. */
const PART = 128 * 1024;
/** The most long texts that are kept of a state. */
const MOST_TEXTS = 4096;

const PLACES = /(?<=[:[,])"\\u0001([\d,]+)"(?!:)/gu;

/** A JSON text with marks for its long texts. */
export interface MarkedText {
  readonly text: string;
  readonly texts: NewTexts;
}

/** The long texts of one instance that its thread has told. */
export class ToldTexts {
  #numbers: Map<string, string> | undefined;
  #last = 0;

  /** The next state tells all of its texts. */
  forget(): void {
    this.#numbers = undefined;
    this.#last = 0;
  }

  /** Encodes a value of which JSON says all. Throws when it has too many texts. */
  encode(value: object): MarkedText {
    if (this.#last >= ALL_NUMBERS / 2) this.forget();
    const texts: (number | string)[] = [];
    const used = new Map<string, string>();
    const mark = (text: string): string => {
      let numbers = used.get(text) ?? this.#numbers?.get(text);
      numbers ??= partsOf(JSON.stringify(text))
        .map((part) => texts.push(++this.#last, part) && this.#last)
        .join(',');
      if (used.set(text, numbers).size > MOST_TEXTS) throw new RangeError('a state has too many texts');
      return MARK + numbers;
    };
    const text = JSON.stringify(withMarks(value, mark)).replaceAll(PLACES, `${MARK}$1${MARK}`);
    this.#numbers = used;
    return { text, texts };
  }
}

/** Copies no more than what leads to a long text. */
function withMarks(value: unknown, mark: (text: string) => string): unknown {
  if (typeof value === 'string') return value.length >= LONG || value.startsWith(MARK) ? mark(value) : value;
  if (typeof value !== 'object' || value === null) return value;
  let copy: Record<string, unknown> | undefined;
  const given = value as Record<string, unknown>;
  for (const key in given) {
    const part = withMarks(given[key], mark);
    if (part === given[key]) continue;
    copy ??= (Array.isArray(value) ? value.slice() : { ...value }) as Record<string, unknown>;
    Object.defineProperty(copy, key, { value: part, configurable: true, enumerable: true, writable: true });
  }
  return copy ?? value;
}

/** No pair of halves of a character is parted. */
function partsOf(literal: string): string[] {
  const parts: string[] = [];
  for (let at = 0; at < literal.length;) {
    let end = at + PART;
    if (end < literal.length && isFirstHalf(literal.charCodeAt(end - 1))) end -= 1;
    parts.push(literal.slice(at, end));
    at = end;
  }
  return parts;
}

function isFirstHalf(code: number): boolean {
  return code >= 0xd800 && code < 0xdc00;
}
