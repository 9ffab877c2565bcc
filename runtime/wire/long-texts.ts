import { ALL_NUMBERS, MARK, type NewTexts } from '../base/marked-text.ts';
import { ToldRuns } from './told-runs.ts';

/** The characters from which on a text in a state is told and kept on its own, so that it need not be written again. */
export const LONG = 1024;
/** Fewer characters in long texts than this are not worth it. */
export const MANY = 4096;
/** The most characters of one part, so that no commit is long because of one text. */
const PART = 128 * 1024;
/** The most long texts that are kept of a state. */
const MOST_TEXTS = 4096;

/** The characters of a state from which on its context is told in runs: with fewer, it is told sooner than it is compared. */
const IN_RUNS = 16 * 1024;
/** The fewest characters of a run: with fewer, to keep it on its own costs more than to write it. */
const LEAST_RUN = 2048;
/** Into so many runs a context is cut, unless they were shorter than that. */
const MANY_RUNS = 128;
/** So many times most of a context may change, one time after the other, before it is told without runs for a while. */
const MOST_MISSES = 2;
/** The states that are told without runs after that; each time twice as many. */
const LEAST_REST = 16;
const MOST_REST = 1024;

const PLACES = /(?<=[:[,])"\\u0001([\d,]+)"(?!:)/gu;

/** A JSON text with marks for its long texts. */
export interface MarkedText {
  readonly text: string;
  readonly texts: NewTexts;
}

/** What its thread has told of the state of one instance: long texts, and runs of the fields and items of a large context. */
export class ToldTexts {
  #numbers: Map<string, string> | undefined;
  #last = 0;
  #used = new Map<string, string>();
  #texts: (number | string)[] = [];
  /** The characters of the last text without the long ones. */
  #length = 0;
  #runs: ToldRuns | undefined;
  /** Whether the context of the state that is being told is in runs. */
  #isTold = false;
  /** How often most of a context has changed, one time after the other. */
  #misses = 0;
  /** How many states are told without runs, and for how many the next time. */
  #rest = 0;
  #nextRest = LEAST_REST;

  /** The next state tells all of its texts. */
  forget(): void {
    this.#numbers = undefined;
    this.#last = 0;
    this.#runs = undefined;
    this.begin();
  }

  /** Another state is told. */
  begin(): void {
    [this.#used, this.#texts] = [new Map(), []];
    this.#isTold = false;
  }

  /**
   * Takes the context of the state, which is at that level of it, when it is worth to tell it in runs and JSON says all of it.
   * It need not be looked at again then.
   */
  takes(context: object, level: number): boolean {
    if (this.#length < IN_RUNS) return false;
    if (this.#rest > 0) {
      this.#rest -= 1;
      return false;
    }
    if (this.#last >= ALL_NUMBERS / 2) this.forget();
    const isFirst = this.#runs === undefined;
    const runs = (this.#runs ??= new ToldRuns({
      least: Math.max(LEAST_RUN, Math.round(this.#length / MANY_RUNS)),
      part: (text) => MARK + this.#number(text) + MARK,
      long: (text) => this.#mark(text) + MARK,
      longFrom: LONG,
    }));
    if (!runs.tell(context, level)) {
      this.#withoutRuns();
      return false;
    }
    this.#misses = isFirst || runs.fresh * 2 < runs.size ? 0 : this.#misses + 1;
    if (!isFirst && this.#misses === 0) this.#nextRest = LEAST_REST;
    return (this.#isTold = true);
  }

  /** The context that it took; undefined when it took none. */
  get context(): Pick<ToldRuns, 'holds' | 'isMissing' | 'missing'> | undefined {
    return this.#isTold ? this.#runs : undefined;
  }

  /** Encodes a value of which JSON says all. Throws when it has too many texts. */
  encode(value: object): MarkedText {
    if (!this.#isTold) {
      this.#runs = undefined;
      if (this.#last >= ALL_NUMBERS / 2) this.forget();
    }
    const text = this.#isTold ? this.#around(value) : this.#marked(JSON.stringify(this.#withMarks(value)));
    const texts = this.#texts;
    this.#numbers = this.#used;
    [this.#used, this.#texts] = [new Map(), []];
    this.#told(text.length);
    return { text, texts };
  }

  /** The text of a value that was told as it is. */
  whole(text: string): string {
    this.forget();
    this.#told(text.length);
    return text;
  }

  #told(length: number): void {
    const runs = this.#isTold ? this.#runs : undefined;
    if (runs === undefined) {
      this.#length = length;
      return;
    }
    if (this.#misses >= MOST_MISSES) return this.#withoutRuns();
    // One that has become another is cut anew.
    if (runs.size < this.#length / 4 || runs.size > this.#length * 8) {
      this.#length = runs.size;
      this.#runs = undefined;
    }
  }

  #withoutRuns(): void {
    this.#runs = undefined;
    this.#misses = 0;
    this.#rest = this.#nextRest;
    this.#nextRest = Math.min(this.#nextRest * 2, MOST_REST);
  }

  /** The state, about the context that was told in runs. */
  #around(state: object): string {
    const context = (this.#runs as ToldRuns).text;
    const ofSnapshot = (key: string, field: unknown): string =>
      key === 'context' ? `"context":${context}` : this.#field(key, field);
    return this.#fields(state, (key, field) =>
      key === 'snapshot'
        ? `"snapshot":${this.#fields(field as object, ofSnapshot)}`
        : this.#field(key, field),
    );
  }

  #fields(value: object, textOf: (key: string, field: unknown) => string): string {
    const texts: string[] = [];
    for (const [key, field] of Object.entries(value)) if (field !== undefined) texts.push(textOf(key, field));
    return `{${texts.join(',')}}`;
  }

  #field(key: string, field: unknown): string {
    return this.#marked(`${JSON.stringify(key)}:${JSON.stringify(this.#withMarks(field))}`);
  }

  #marked(json: string): string {
    return json.replaceAll(PLACES, `${MARK}$1${MARK}`);
  }

  #withMarks(value: unknown): unknown {
    return withMarks(value, (text) => this.#mark(text));
  }

  #mark(text: string): string {
    let numbers = this.#used.get(text) ?? this.#numbers?.get(text);
    numbers ??= partsOf(JSON.stringify(text))
      .map((part) => this.#number(part))
      .join(',');
    if (this.#used.set(text, numbers).size > MOST_TEXTS) throw new RangeError('a state has too many texts');
    return MARK + numbers;
  }

  #number(part: string): number {
    this.#texts.push(++this.#last, part);
    return this.#last;
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
