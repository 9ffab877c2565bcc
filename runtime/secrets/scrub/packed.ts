import { isUtf8 } from 'node:buffer';
import { SHORTEST } from './pattern-index.ts';
import type { Reading } from './reading.ts';

/** Base64 in either alphabet, broken into lines or not. Twelve characters stand for nine bytes. */
const RUN = /[\w+/-]{12,}(?:\r?\n[\w+/-]+)*/g;
const HEX = /[0-9A-Fa-f]{16,}/g;
/** The bytes of a buffer as programs print them. The text before them may look like a byte. */
const LIST = /(?:0x)?[0-9A-Fa-f]{1,3}(?:[\s:,-]+(?:0x)?[0-9A-Fa-f]{1,3}){7,}/g;
const ITEM = /(?:0x)?([0-9A-Fa-f]+)/g;
/** The bytes of a typed array as JSON has it: `"0":119,"1":74`. */
const FIELDS = /"\d+":\s*\d{1,3}(?:,\s*"\d+":\s*\d{1,3}){7,}/g;
const FIELD = /(?<=:\s*)(\d+)/g;

/**
 * The parts of a text that are base64, hex or a list of bytes, each unpacked to a text in which every byte is a unit.
 */
export function* packedIn(under: Reading): Generator<Reading> {
  yield* listsIn(under);
  for (const { 0: run, index } of under.text.matchAll(RUN)) {
    const [digits, places] = run.includes('\n') ? withoutBreaks(run) : [run, undefined];
    // The packed text may begin anywhere in what looks like a part of it.
    for (let skipped = 0; skipped < 4; skipped += 1) {
      const sourceOf = (digit: number): number => index + (places?.[skipped + digit] ?? skipped + digit);
      yield packed(under, Buffer.from(digits.slice(skipped), 'base64'), 6, sourceOf);
    }
    for (const { 0: hex, index: at } of digits.matchAll(HEX)) {
      for (const skipped of [0, 1]) {
        const sourceOf = (digit: number): number =>
          index + (places?.[at + skipped + digit] ?? at + skipped + digit);
        yield packed(under, Buffer.from(hex.slice(skipped), 'hex'), 4, sourceOf);
      }
    }
  }
}

/**
 * Whether {@link listsIn} may find a list that is no form of a value: in lines, in columns, with the number of each
 * byte. Cheap.
 */
export function hasLists(text: string): boolean {
  return text.includes(',') && (text.includes('\n') || text.includes(',  ') || text.includes('"1":'));
}

/** A list for which {@link hasLists} is true once the text has been read without its escapes. */
const ESCAPED_LIST = /(?:,|%2C)(?:\\[nr]|%0[AD])|1(?:\\"|\\u0022|""|%22|&quot;|&#34;|&#x22;)(?::|%3A)/i;

/** Like {@link hasLists}, for a text that is written in escapes. */
export function hasEscapedLists(text: string): boolean {
  return ESCAPED_LIST.test(text);
}

/** The lists of bytes in a text, each as a text in which every byte is a unit. */
export function* listsIn(under: Reading): Generator<Reading> {
  for (const { 0: list, index } of under.text.matchAll(LIST)) {
    const items = itemsIn(list, index, ITEM);
    yield* bytesOf(under, items, ({ digits }) => (digits.length === 2 ? Number.parseInt(digits, 16) : NaN));
    yield* bytesOf(under, items, decimal);
  }
  if (!under.text.includes('"1":')) return;
  for (const { 0: list, index } of under.text.matchAll(FIELDS))
    yield* bytesOf(under, itemsIn(list, index, FIELD), decimal);
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

function decimal({ digits }: Item): number {
  return /^\d+$/.test(digits) ? Number(digits) : NaN;
}

/** Each run of items that are bytes. A word or a number beside the list is not part of it, and takes no byte away. */
function* bytesOf(
  under: Reading,
  items: readonly Item[],
  byteOf: (item: Item) => number,
): Generator<Reading> {
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

/** Whether the unpacked bytes may be text, in which more may be packed or escaped. */
export function isText(packed: string): boolean {
  // oxlint-disable-next-line no-control-regex -- what no text has
  return !/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(packed) && isUtf8(Buffer.from(packed, 'latin1'));
}

function packed(
  under: Reading,
  bytes: Buffer,
  bitsOfDigit: number,
  sourceOf: (digit: number) => number,
): Reading {
  return {
    text: bytes.toString('latin1'),
    toSource({ start, end }) {
      const first = Math.floor((start * 8) / bitsOfDigit);
      const last = Math.ceil((end * 8) / bitsOfDigit) - 1;
      return under.toSource({ start: sourceOf(first), end: sourceOf(last) + 1 });
    },
  };
}

/** Also returns the place of each character. */
function withoutBreaks(run: string): [digits: string, places: Uint32Array] {
  const places = new Uint32Array(run.length);
  let count = 0;
  for (let at = 0; at < run.length; at += 1) {
    const unit = run.charCodeAt(at);
    if (unit !== 0x0a && unit !== 0x0d) places[count++] = at;
  }
  return [run.replaceAll(/[\r\n]/g, ''), places];
}
