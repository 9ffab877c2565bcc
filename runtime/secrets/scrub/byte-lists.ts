import { partOf, sourceOf, type Cut, type Reading } from './reading.ts';
import type { Span } from './pattern-index.ts';
import { hasList, listTailOf } from './stretches.ts';

/** The bytes of a buffer as programs print them, with no more between two than an indented line begins with. */
const LIST = /(?:0x)?[0-9A-Fa-f]+(?:[\s:,-]{1,64}(?:0x)?[0-9A-Fa-f]+)*/g;
const ITEM = /(?:0x)?([0-9A-Fa-f]+)/g;
/** The end of a text behind a list that may go on. */
const LIST_GOES_ON = /^(?:x|[\s:,-]{0,64})$/;
/** The digits of a byte. Of a longer word they are the first or the last. */
const BYTE = 3;

/** The bytes of a typed array as JSON has it: `"0":119,"1":74`. */
const FIELDS = /"\d{1,8}":\s{0,64}\d{1,3}(?:,\s{0,64}"\d{1,8}":\s{0,64}\d{1,3})*/g;
const FIELD = /"\d+":\s*(\d+)/g;
const FIELDS_GO_ON = /^(?:,\s{0,64})?$/;
/** A field that is not whole yet, and the most units of one. */
const CUT_FIELD = /"(?:\d{1,8}(?:"(?::\s{0,64}\d{0,3})?)?)?$/;
const LONGEST_FIELD = 80;

/** A list for which the text has to be read without its escapes first. */
const ESCAPED_LIST = /(?:,|%2C)(?:\\[nr]|%0[AD])|1(?:\\"|\\u0022|""|%22|&quot;|&#34;|&#x22;)(?::|%3A)/i;

/** Whether there may be a list of bytes in a text that is written in escapes. */
export function hasEscapedLists(text: string): boolean {
  return ESCAPED_LIST.test(text);
}

export interface InList {
  /** The units of the shortest form. A shorter list carries none. */
  readonly shortest: number;
  /** Whether a searched form may begin with that unit. */
  mayBegin(unit: number): boolean;
}

/** The number of one byte in a list. */
interface Item extends Span {
  /** Where the item begins: with the name of a field. */
  readonly from: number;
  readonly digits: string;
}

/**
 * The lists of at least `shortest` bytes in a text, each as a text in which every byte is a unit. With `cut` the text
 * may go on, and a list at its end may be shorter.
 */
export function* listsIn(under: Reading, wanted: InList, cut?: Cut): Generator<Reading> {
  const { shortest } = wanted;
  const mayGoOn = cut !== undefined && under.isOpen;
  const isLong = hasList(under.text, shortest);
  if (!isLong && !mayGoOn) return;
  const from = isLong ? 0 : listTailOf(under.text);
  if (from === under.text.length) return;
  yield* listsOf(
    from === 0 ? under : partOf(under, from, under.text.length),
    wanted,
    mayGoOn ? cut : undefined,
  );
}

function* listsOf(under: Reading, wanted: InList, cut?: Cut): Generator<Reading> {
  const { shortest } = wanted;
  const { text } = under;
  for (const { 0: list, index } of text.matchAll(LIST)) {
    const end = index + list.length;
    const isOpen = cut !== undefined && text.length - end <= 64 && LIST_GOES_ON.test(text.slice(end));
    if (!isOpen && list.length < shortest * 2 - 1) continue;
    const items = itemsIn(list, index);
    // More digits may follow.
    if (isOpen && !/^[\s:,-]/.test(text.slice(end))) {
      const last = items.pop();
      if (last !== undefined && cut !== undefined)
        cutNumber(under, last, (unit) => wanted.mayBegin(unit), cut);
    }
    yield* bytesOf(under, items, inHex, shortest, isOpen);
    yield* bytesOf(under, items, decimal, shortest, isOpen);
  }
  if (text.includes('"')) yield* fieldsIn(under, wanted, cut);
}

function* fieldsIn(under: Reading, wanted: InList, cut?: Cut): Generator<Reading> {
  const { shortest } = wanted;
  let { text } = under;
  if (cut !== undefined) {
    const { length } = text;
    const near = CUT_FIELD.exec(text.slice(-LONGEST_FIELD));
    if (near !== null) {
      text = text.slice(0, Math.max(0, length - LONGEST_FIELD) + near.index);
      // The name of a field is no part of a value.
      cut(under, text.length, false);
      const { 0: digits = '' } = /\d*$/.exec(near[0].slice(near[0].indexOf(':') + 1)) ?? [];
      if (near[0].includes(':') && digits !== '') {
        const number = { from: length - digits.length, start: length - digits.length, end: length, digits };
        cutNumber(under, number, (unit) => wanted.mayBegin(unit), cut);
      }
    }
  }
  if (!text.includes('":')) return;
  for (const { 0: list, index } of text.matchAll(FIELDS)) {
    const isOpen = cut !== undefined && FIELDS_GO_ON.test(text.slice(index + list.length));
    const items = Array.from(list.matchAll(FIELD), ({ 0: all, 1: digits = '', index: at }) => {
      const end = index + at + all.length;
      return { from: index + at, start: end - digits.length, end, digits };
    });
    yield* bytesOf(under, items, decimal, shortest, isOpen);
  }
}

function itemsIn(list: string, index: number): Item[] {
  return [...list.matchAll(ITEM)].flatMap(({ 0: all, 1: digits = '', index: at }): Item[] => {
    const from = index + at;
    const end = from + all.length;
    const word = end - digits.length;
    if (digits.length <= BYTE) return [{ from, start: word, end, digits }];
    return [
      { from, start: word, end: word + BYTE, digits: digits.slice(0, BYTE) },
      { from: end, start: end, end, digits: '' },
      { from: end - BYTE, start: end - BYTE, end, digits: digits.slice(-BYTE) },
    ];
  });
}

function decimal({ digits }: Item): number {
  return /^\d+$/.test(digits) ? Number(digits) : NaN;
}

type IsOf = (unit: number) => boolean;

/** Cuts a number, to which digits may be added, where it may become one of those bytes. */
function cutNumber(under: Reading, { digits, from, end }: Item, isOne: IsOf, cut: Cut): void {
  for (let count = digits.length; count > 0; count -= 1) {
    if (!mayBecome(digits.slice(-count), isOne)) continue;
    return cut(under, count === digits.length ? from : end - count);
  }
}

/** Whether the number of such a byte may begin so, in hex or decimal. */
function mayBecome(digits: string, isOne: IsOf): boolean {
  if (digits.length < BYTE) {
    const more = 16 ** (2 - digits.length);
    if (isAnyOf(Number.parseInt(digits, 16) * more, more, isOne)) return true;
  }
  if (!/^\d+$/.test(digits)) return false;
  for (let more = 1; more <= 10 ** (BYTE - digits.length); more *= 10)
    if (isAnyOf(Number(digits) * more, more, isOne)) return true;
  return false;
}

function isAnyOf(first: number, count: number, isOne: IsOf): boolean {
  for (let byte = first; byte < first + count && byte <= 0xff; byte += 1) if (isOne(byte)) return true;
  return false;
}

function inHex({ digits }: Item): number {
  return digits.length === 2 ? Number.parseInt(digits, 16) : NaN;
}

/** Each run of items that are bytes. A word or a number beside the list is not part of it, and takes no byte away. */
function* bytesOf(
  under: Reading,
  items: readonly Item[],
  byteOf: (item: Item) => number,
  shortest: number,
  isOpen: boolean,
): Generator<Reading> {
  let bytes: number[] = [];
  for (let at = 0; at <= items.length; at += 1) {
    const item = items[at];
    const byte = item === undefined ? NaN : byteOf(item);
    if (byte <= 0xff) {
      bytes.push(byte);
      continue;
    }
    const goesOn = isOpen && item === undefined;
    if (bytes.length >= (goesOn ? 1 : shortest))
      yield new ListedBytes(under, items.slice(at - bytes.length, at), bytes, goesOn);
    bytes = [];
  }
}

class ListedBytes implements Reading {
  readonly text: string;
  readonly isOpen: boolean;
  readonly #under: Reading;
  readonly #items: readonly Item[];

  constructor(under: Reading, items: readonly Item[], bytes: readonly number[], isOpen: boolean) {
    this.text = Buffer.from(bytes).toString('latin1');
    this.isOpen = isOpen;
    this.#under = under;
    this.#items = items;
  }

  toSource({ start, end }: Span): Span {
    return this.#under.toSource({
      start: this.#items[start]?.start ?? 0,
      end: this.#items[end - 1]?.end ?? 0,
    });
  }

  unitFrom(place: number): number {
    return this.#itemFrom(this.#under.unitFrom(place));
  }

  #itemFrom(below: number): number {
    let [low, high] = [0, this.#items.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#items[middle] as Item).from < below) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  cutBefore(place: number): number {
    const cut = this.#under.cutBefore(place);
    const below = this.#under.unitFrom(cut);
    const before = this.#items[this.#itemFrom(below) - 1];
    return before === undefined || before.end <= below
      ? cut
      : this.cutBefore(sourceOf(this.#under, before.from));
  }
}
