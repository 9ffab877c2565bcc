import { isUtf8 } from 'node:buffer';
import type { Reading } from './unescape.ts';

/** Base64 in either alphabet, in lines or not. Twelve characters stand for nine bytes. */
const RUN = /[\w+/-]{12,}(?:\r?\n[\w+/-]+)*/g;
const HEX = /[0-9A-Fa-f]{16,}/g;
/** Bytes of a buffer as programs print them. */
const LIST = /(?:0x)?[0-9A-Fa-f]{1,3}(?:[\s:,-]+(?:0x)?[0-9A-Fa-f]{1,3}){7,}/g;

/** What stands in a text as base64, hex or a list of bytes, each as a text in which every byte is a unit. */
export function* packedIn(under: Reading): Generator<Reading> {
  yield* listsIn(under);
  for (const { 0: run, index } of under.text.matchAll(RUN)) {
    const [digits, places] = run.includes('\n') ? withoutBreaks(run) : [run, undefined];
    // It may begin anywhere in what looks like a part of it.
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

function* listsIn(under: Reading): Generator<Reading> {
  for (const { 0: list, index } of under.text.matchAll(LIST)) {
    const items = [...list.matchAll(/(?:0x)?([0-9A-Fa-f]+)/g)].map(
      ({ 0: all, 1: digits = '', index: at }) => ({
        start: index + at,
        end: index + at + all.length,
        hex: digits.length === 2 ? Number.parseInt(digits, 16) : Number.NaN,
        decimal: /^\d+$/.test(digits) ? Number(digits) : Number.NaN,
      }),
    );
    for (const base of ['hex', 'decimal'] as const) {
      if (!items.every((item) => item[base] <= 0xff)) continue;
      yield {
        text: Buffer.from(items.map((item) => item[base])).toString('latin1'),
        toSource: ({ start, end }) =>
          under.toSource({ start: items[start]?.start ?? 0, end: items[end - 1]?.end ?? 0 }),
      };
    }
  }
}

/** Whether it may be text, in which more may be packed or escaped. */
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

/** Also where each character stood. */
function withoutBreaks(run: string): [digits: string, places: Uint32Array] {
  const places = new Uint32Array(run.length);
  let count = 0;
  for (let at = 0; at < run.length; at += 1) {
    const unit = run.charCodeAt(at);
    if (unit !== 0x0a && unit !== 0x0d) places[count++] = at;
  }
  return [run.replaceAll(/[\r\n]/g, ''), places];
}
