import { isUtf8 } from 'node:buffer';
import { listsIn } from './byte-lists.ts';
import type { Reading } from './reading.ts';

/** Base64 in either alphabet, broken into lines or not. Twelve characters stand for nine bytes. */
const RUN = /[\w+/-]{12,}(?:\r?\n[\w+/-]+)*/g;
const HEX = /[0-9A-Fa-f]{16,}/g;
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
