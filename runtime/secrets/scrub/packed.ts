import { listsIn, type InList } from './byte-lists.ts';
import { partOf, type Reading } from './reading.ts';
import { hasDigits } from './stretches.ts';

/** Base64 in either alphabet, broken into lines or not. */
const RUN = /[\w+/-]+(?:\r?\n[\w+/-]+)*/g;
const HEX = /[0-9A-Fa-f]{16,}/g;

interface Shortest {
  readonly shortest: number;
}

/** The fewest digits of base64 that hold a pattern. */
function fewestDigits({ shortest }: Shortest): number {
  return Math.floor((shortest * 8) / 6);
}

/** Whether {@link packedIn} may find base64 or hex. Cheap. */
export function hasPacked(text: string | Buffer, wanted: Shortest): boolean {
  return hasDigits(text, fewestDigits(wanted));
}

/**
 * The parts of a text that are base64, hex or a list of bytes, each unpacked to a text in which every byte is a unit. Of a
 * text that may go on they are not read.
 */
export function* packedIn(under: Reading, wanted: InList): Generator<Reading> {
  yield* listsIn(under, wanted);
  if (hasPacked(under.text, wanted)) yield* runsIn(under, wanted);
}

function* runsIn(under: Reading, wanted: Shortest): Generator<Reading> {
  const fewest = fewestDigits(wanted);
  for (const { 0: run, index } of under.text.matchAll(RUN)) {
    if (run.length < fewest) continue;
    const [digits, places] = run.includes('\n') ? withoutBreaks(run) : [run, undefined];
    if (digits.length < fewest) continue;
    const placeOf = (digit: number): number => index + (places?.[digit] ?? digit);
    // The packed text may begin anywhere in what looks like a part of it.
    for (let before = 0; before < 4; before += 1) {
      const bytes = Buffer.from('A'.repeat(before) + digits, 'base64').subarray(before);
      yield new Unpacked(under, bytes, { bitsOfDigit: 6, before, first: 0, count: digits.length, placeOf });
    }
    for (const { 0: hex, index: first } of digits.matchAll(HEX)) {
      if (hex.length < wanted.shortest * 2) continue;
      for (const skipped of [0, 1]) {
        const bytes = Buffer.from(hex.slice(skipped), 'hex');
        yield new Unpacked(under, bytes, {
          bitsOfDigit: 4,
          before: 0,
          first: first + skipped,
          count: hex.length - skipped,
          placeOf,
        });
      }
    }
  }
}

/**
 * The parts of unpacked bytes that are text in UTF-8 and long enough to carry a value, in which more may be packed or
 * escaped.
 */
export function* textsIn(packed: Reading, { shortest }: Shortest): Generator<Reading> {
  const { text } = packed;
  for (let [start, at] = [0, 0]; at <= text.length;) {
    const units = at < text.length ? characterAt(text, at) : 0;
    if (units > 0) {
      at = Math.min(text.length, at + units);
      continue;
    }
    if (at - start >= shortest) yield start === 0 && at === text.length ? packed : partOf(packed, start, at);
    at += 1;
    start = at;
  }
}

/** The units of a character in UTF-8, of which the end of the text may cut the last; 0 for what no text has. */
function characterAt(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  if (unit < 0x80) return (unit >= 0x20 && unit < 0x7f) || (unit >= 0x09 && unit <= 0x0d) ? 1 : 0;
  const units = unit < 0xc2 || unit > 0xf4 ? 0 : unit < 0xe0 ? 2 : unit < 0xf0 ? 3 : 4;
  const end = Math.min(text.length, at + units);
  for (let next = at + 1; next < end; next += 1) if ((text.charCodeAt(next) & 0xc0) !== 0x80) return 0;
  return units;
}

interface Digits {
  readonly bitsOfDigit: number;
  /** The digits that were put before them, so that each place may be the beginning; as many bytes were left out. */
  readonly before: number;
  readonly first: number;
  readonly count: number;
  /** The place of a digit in the text below. */
  readonly placeOf: (digit: number) => number;
}

class Unpacked implements Reading {
  readonly text: string;
  readonly isOpen = false;
  readonly #under: Reading;
  readonly #digits: Digits;

  constructor(under: Reading, bytes: Buffer, digits: Digits) {
    this.text = bytes.toString('latin1');
    this.#under = under;
    this.#digits = digits;
  }

  toSource({ start, end }: { readonly start: number; readonly end: number }): { start: number; end: number } {
    const { bitsOfDigit, before, first, placeOf } = this.#digits;
    const from = Math.floor(((start + before) * 8) / bitsOfDigit) - before;
    const last = Math.ceil(((end + before) * 8) / bitsOfDigit) - 1 - before;
    return this.#under.toSource({ start: placeOf(first + from), end: placeOf(first + last) + 1 });
  }

  unitFrom(place: number): number {
    const { bitsOfDigit, before, first, count, placeOf } = this.#digits;
    const below = this.#under.unitFrom(place);
    let [low, high] = [0, count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (placeOf(first + middle) < below) low = middle + 1;
      else high = middle;
    }
    const unit = Math.ceil(((low + before) * bitsOfDigit) / 8) - before;
    return Math.min(this.text.length, Math.max(0, unit));
  }

  // At each digit, because all beginnings are tried.
  cutBefore(place: number): number {
    return this.#under.cutBefore(place);
  }
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
