import { SHORTEST, type PatternIndex } from './pattern-index.ts';
import type { Reading } from './reading.ts';

/** The bytes of a buffer as programs print them. The text before them may look like a byte. */
const LIST = /(?:0x)?[0-9A-Fa-f]{1,3}(?:[\s:,-]+(?:0x)?[0-9A-Fa-f]{1,3}){7,}/g;
const ITEM = /(?:0x)?([0-9A-Fa-f]+)/g;
/** Of what looks like a longer number a list has the last digits. */
const LAST_ITEM = /(?:0x)?([0-9A-Fa-f]{1,3})(?![0-9A-Fa-f])/g;
/** The characters of the shortest list: eight digits, and what separates them. */
const SHORTEST_LIST = SHORTEST * 2 - 1;
/** The bytes of a typed array as JSON has it: `"0":119,"1":74`. */
const FIELDS = /"\d+":\s*\d{1,3}(?:,\s*"\d+":\s*\d{1,3}){7,}/g;
const FIELD = /(?<=:\s*)(\d+)/g;

/**
 * Whether {@link listsIn} may find a list that is no form of a value: in lines, in columns, with the number of each
 * byte. Cheap. In a part of a text, of which the other parts are not known, any list.
 */
export function hasLists(text: string, isPart: boolean): boolean {
  if (isPart) return hasFields(text) || listPart(text, 0) !== undefined;
  if (!text.includes(',')) return false;
  if (hasFields(text)) return true;
  return (text.includes('\n') || text.includes(',  ')) && listPart(text, 0) !== undefined;
}

/** The digit first, because texts have fewer of them than of quotes. */
function hasFields(text: string): boolean {
  return text.includes('1":') && text.includes('"1":');
}

/** A list for which {@link hasLists} is true once the text has been read without its escapes. */
const ESCAPED_LIST = /(?:,|%2C)(?:\\[nr]|%0[AD])|1(?:\\"|\\u0022|""|%22|&quot;|&#34;|&#x22;)(?::|%3A)/i;

/** Like {@link hasLists}, for a text that is written in escapes. */
export function hasEscapedLists(text: string): boolean {
  const mayHave =
    text.includes('%') ||
    (text.includes('\\') && (text.includes(',\\') || text.includes('1\\'))) ||
    text.includes('1""') ||
    text.includes('1&');
  return mayHave && ESCAPED_LIST.test(text);
}

/**
 * The lists of bytes in a text, each as a text in which every byte is a unit. Where the text goes on a number at its
 * end may be a part of one.
 */
export function* listsIn(under: Reading, goesOn = false): Generator<Reading> {
  const whole = goesOn ? under.text.length - 1 : under.text.length;
  for (let part = listPart(under.text, 0); part !== undefined; part = listPart(under.text, part.end)) {
    for (const { 0: list, index } of under.text.slice(part.start, part.end).matchAll(LIST)) {
      const items = itemsIn(list, part.start + index, ITEM).filter(({ end }) => end <= whole);
      yield* bytesOf(under, items, hexByte);
      yield* bytesOf(under, items, decimalByte);
    }
  }
  if (!hasFields(under.text)) return;
  for (const { 0: list, index } of under.text.matchAll(FIELDS))
    yield* bytesOf(
      under,
      itemsIn(list, index, FIELD).filter(({ end }) => end <= whole),
      decimalByte,
    );
}

interface Part {
  readonly start: number;
  readonly end: number;
}

/** The next part, at `from` or later, of no other characters than lists have; long enough for one. */
function listPart(text: string, from: number): Part | undefined {
  let start = from;
  // Looks at the last character that the shortest list from `start` would have, and goes back from there.
  while (start + SHORTEST_LIST <= text.length) {
    let at = start + SHORTEST_LIST - 1;
    while (at >= start && isOfList(text.charCodeAt(at))) at -= 1;
    if (at < start) {
      let end = start + SHORTEST_LIST;
      while (end < text.length && isOfList(text.charCodeAt(end))) end += 1;
      return { start, end };
    }
    start = at + 1;
  }
  return undefined;
}

/** Whether bytes, which are a character each, may have a list that {@link listsIn} finds. Fast. */
export function mayHaveLists(bytes: Buffer): boolean {
  for (let start = 0; start + SHORTEST_LIST <= bytes.length;) {
    let at = start + SHORTEST_LIST - 1;
    while (at >= start && ((units[bytes[at] as number] as number) & LIST_UNIT) !== 0) at -= 1;
    if (at < start) return true;
    start = at + 1;
  }
  // The fields of a typed array, also in doubled quotes.
  for (let at = bytes.indexOf(ONE); at >= 0; at = bytes.indexOf(ONE, at + 1)) {
    if (bytes[at + 1] === QUOTE && (bytes[at + 2] === QUOTE || bytes[at - 1] === QUOTE)) return true;
  }
  return false;
}

const [LF, CR, QUOTE, ONE] = [0x0a, 0x0d, 0x22, 0x31];
const [LIST_UNIT, FIELD_UNIT] = [1, 2];
const units = new Uint8Array(0x100);
for (const unit of Buffer.from('0123456789abcdefABCDEFx:,- \t\n\v\f\r\xa0', 'latin1'))
  units[unit] = LIST_UNIT;
for (const unit of Buffer.from('0123456789:", \t\n\v\f\r\xa0', 'latin1'))
  units[unit] = (units[unit] ?? 0) | FIELD_UNIT;

/** Whether lists of bytes have that unit, in any of their forms. */
export function isOfLists(unit: number): boolean {
  return isOfList(unit) || isOfFields(unit);
}

function isOfList(unit: number): boolean {
  return unit < 0x100 ? ((units[unit] ?? 0) & LIST_UNIT) !== 0 : isWideSpace(unit);
}

function isOfFields(unit: number): boolean {
  return unit < 0x100 ? ((units[unit] ?? 0) & FIELD_UNIT) !== 0 : isWideSpace(unit);
}

function isWideSpace(unit: number): boolean {
  return unit >= 0x1680 && /\s/.test(String.fromCharCode(unit));
}

interface Item {
  readonly start: number;
  readonly end: number;
  readonly digits: string;
}

function itemsIn(list: string, index: number, item: RegExp): Item[] {
  return Array.from(list.matchAll(item), ({ 0: all, 1: digits = '', index: at }) => ({
    start: index + at,
    end: index + at + all.length,
    digits,
  }));
}

/** NaN when it is no byte. */
type ByteOf = (item: Item) => number;

function hexByte({ digits }: Item): number {
  return digits.length === 2 ? Number.parseInt(digits, 16) : NaN;
}

function decimalByte({ digits }: Item): number {
  return /^\d+$/.test(digits) ? Number(digits) : NaN;
}

/** Each run of items that are bytes. A word or a number beside the list is not part of it, and takes no byte away. */
function* bytesOf(under: Reading, items: readonly Item[], byteOf: ByteOf): Generator<Reading> {
  let bytes: number[] = [];
  for (const [at, item] of [...items, undefined].entries()) {
    const byte = item === undefined ? NaN : byteOf(item);
    if (byte <= 0xff) {
      bytes.push(byte);
      continue;
    }
    const run = items.slice(at - bytes.length, at);
    if (run.length >= SHORTEST)
      yield {
        text: Buffer.from(bytes).toString('latin1'),
        toSource: ({ start, end }) =>
          under.toSource({ start: run[start]?.start ?? 0, end: run[end - 1]?.end ?? 0 }),
      };
    bytes = [];
  }
}

/** Where the end of a text may have cut a list of a value's bytes. */
export interface CutList {
  /** The first place that may belong to a value. */
  readonly at: number;
  /** The place from which the text is needed to read the list. */
  readonly from: number;
}

/**
 * The list of bytes, of any length, that the end of the text has cut and that may be one of a value. A blank line ends
 * a list.
 */
export function cutList(text: string, patterns: PatternIndex): CutList | undefined {
  const last = text.charCodeAt(text.length - 1);
  if (last === LF && (text.endsWith('\n\n') || text.endsWith('\n\r\n'))) return undefined;
  const lists = isOfList(last) ? cutItems(text, patterns) : undefined;
  const fields = isOfFields(last) ? cutFields(text, patterns) : undefined;
  if (lists === undefined || fields === undefined) return lists ?? fields;
  return { at: Math.min(lists.at, fields.at), from: Math.min(lists.from, fields.from) };
}

function cutItems(text: string, patterns: PatternIndex): CutList | undefined {
  const start = partAtEnd(text, isOfList, patterns);
  // Of an item that the end has cut there may be no digit yet.
  const items = itemsIn(text.slice(start).replace(/0x$/, ''), start, LAST_ITEM);
  const places = [hexByte, decimalByte].map((byteOf) => cutBytes(text, items, byteOf, patterns));
  const at = Math.min(...places);
  return at < text.length ? { at, from: at } : undefined;
}

function cutFields(text: string, patterns: PatternIndex): CutList | undefined {
  const start = partAtEnd(text, isOfFields, patterns);
  const part = text.slice(start);
  if (!part.includes('"')) return undefined;
  const items = itemsIn(part, start, FIELD);
  const at = cutBytes(text, items, decimalByte, patterns);
  if (at < text.length)
    return { at, from: Math.max(start, text.lastIndexOf('"', text.lastIndexOf('"', at) - 1)) };
  // The number of a byte that is to come.
  const number = /"(?:\d+(?:"(?::\s*)?)?)?$/.exec(part);
  return number === null ? undefined : { at: text.length, from: start + number.index };
}

/** The most characters of a list, for each unit of the longest form of a value. */
const MOST_FOR_UNIT = 8;

/** The beginning of the part at the end of the text that has no other units than those, and no blank line. */
function partAtEnd(text: string, isOfPart: (unit: number) => boolean, patterns: PatternIndex): number {
  const least = Math.max(0, text.length - MOST_FOR_UNIT * patterns.longest);
  let start = text.length;
  let below = 0;
  while (start > least) {
    const unit = text.charCodeAt(start - 1);
    if (!isOfPart(unit)) break;
    if (unit === LF && below === LF) break;
    if (unit !== CR) below = unit;
    start -= 1;
  }
  return start;
}

/** The place of the first item that may be of a value, of those that are bytes up to the end of the text. */
function cutBytes(text: string, items: readonly Item[], byteOf: ByteOf, patterns: PatternIndex): number {
  const last = items.at(-1);
  const isLastCut = last?.end === text.length;
  const whole = isLastCut ? items.slice(0, -1) : items;
  let first = whole.length;
  while (first > 0 && byteOf(whole[first - 1] as Item) <= 0xff) first -= 1;
  const bytes = whole.slice(first).map(byteOf);
  const at = patterns.partial(String.fromCharCode(...bytes));
  if (at < bytes.length) return whole[first + at]?.start ?? text.length;
  return isLastCut && mayBegin(last.digits, byteOf, patterns) ? last.start : text.length;
}

/** Whether these digits, perhaps with others behind them, are the first byte of a pattern. */
function mayBegin(digits: string, byteOf: ByteOf, patterns: PatternIndex): boolean {
  const radix = byteOf === hexByte ? 16 : 10;
  for (let unit = 0; unit < 0x100; unit += 1) {
    if (!patterns.mayBegin(unit)) continue;
    const written = unit.toString(radix).padStart(radix === 16 ? 2 : 1, '0');
    if (written.startsWith(digits.toLowerCase())) return true;
  }
  return false;
}
