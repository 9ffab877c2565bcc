import { privateCopy } from '../values/vault.ts';

const base64Alphabet = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const base64UrlAlphabet = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');
const lowerHex = Buffer.from('0123456789abcdef');
const upperHex = Buffer.from('0123456789ABCDEF');

/**
 * Separators that programs write between the bytes of a list in hex: `<Buffer 77 4a>`, which is `77+4a` in a form,
 * `77:4a`, `77-4a`, `0x77, 0x4a`.
 */
const hexLists = [
  [' ', ''],
  [':', ''],
  ['-', ''],
  ['+', ''],
  [',', ''],
  [', ', ''],
  [' ', '0x'],
  [',', '0x'],
  [', ', '0x'],
].map(([between = '', before = '']) => ({ between: Buffer.from(between), before: Buffer.from(before) }));
/** The lists that may be of a printed buffer. */
const printed = hexLists.filter(
  ({ between, before }) => before.length === 0 && /^[ +]$/.test(between.toString()),
);
/** The bytes that Node prints of a buffer. */
const PRINTED = 50;

/**
 * The forms in which a value may turn up in text, as bytes: itself, hex, base64 at any place in a longer text where
 * the value may begin, and a list of its bytes in hex or decimal. Escapes are not among them: an escaped text is first
 * read without its escapes (`unescape.ts`). Bytes and not strings, because strings could not be wiped afterwards. Each
 * form once.
 */
export function encodings(value: Buffer): Buffer[] {
  const forms = [privateCopy(value), decimals(value, Buffer.from(',')), decimals(value, Buffer.from(', '))];
  for (const digits of [lowerHex, upperHex]) {
    forms.push(hex(value, digits));
    for (const list of hexLists) forms.push(hexList(value, digits, list));
    if (value.length > PRINTED)
      for (const list of printed) forms.push(hexList(value.subarray(0, PRINTED), digits, list));
  }
  for (const alphabet of [base64Alphabet, base64UrlAlphabet]) {
    for (const before of [0, 1, 2]) forms.push(base64Core(value, before, alphabet));
  }
  return distinct(forms);
}

function distinct(forms: readonly Buffer[]): Buffer[] {
  const kept: Buffer[] = [];
  for (const form of forms) {
    if (kept.some((other) => other.length === form.length && other.equals(form))) form.fill(0);
    else kept.push(form);
  }
  return kept;
}

function hex(value: Buffer, digits: Buffer): Buffer {
  const out = Buffer.allocUnsafeSlow(value.length * 2);
  for (let at = 0; at < value.length; at += 1) {
    const byte = value[at] ?? 0;
    out[at * 2] = digits[byte >> 4] ?? 0;
    out[at * 2 + 1] = digits[byte & 15] ?? 0;
  }
  return out;
}

/** The characters that depend on the value alone when `before` other bytes (modulo 3) precede it. */
function base64Core(value: Buffer, before: number, alphabet: Buffer): Buffer {
  const firstBit = Math.ceil((before * 8) / 6) * 6;
  const lastBit = Math.floor(((before + value.length) * 8) / 6) * 6;
  const out = Buffer.allocUnsafeSlow((lastBit - firstBit) / 6);
  for (let at = 0; at < out.length; at += 1) {
    const bit = firstBit + at * 6 - before * 8;
    const byte = bit >> 3;
    const pair = ((value[byte] ?? 0) << 8) | (value[byte + 1] ?? 0);
    out[at] = alphabet[(pair >> (10 - (bit & 7))) & 63] ?? 0;
  }
  return out;
}

function hexList(
  value: Buffer,
  digits: Buffer,
  { between, before }: { readonly between: Buffer; readonly before: Buffer },
): Buffer {
  const each = before.length + 2 + between.length;
  const out = Buffer.allocUnsafeSlow(value.length * each - between.length);
  for (let at = 0; at < value.length; at += 1) {
    const byte = value[at] ?? 0;
    let to = at * each;
    for (let i = 0; i < before.length; i += 1) out[to++] = before[i] ?? 0;
    out[to++] = digits[byte >> 4] ?? 0;
    out[to++] = digits[byte & 15] ?? 0;
    // Not after the last byte, where there is no room for it.
    for (let i = 0; i < between.length && to < out.length; i += 1) out[to++] = between[i] ?? 0;
  }
  return out;
}

/** A list as JSON has the bytes of a buffer. */
function decimals(value: Buffer, between: Buffer): Buffer {
  const all = Buffer.allocUnsafeSlow(value.length * (3 + between.length));
  let to = 0;
  for (let at = 0; at < value.length; at += 1) {
    const byte = value[at] ?? 0;
    if (at > 0) for (let i = 0; i < between.length; i += 1) all[to++] = between[i] ?? 0;
    if (byte >= 100) all[to++] = ZERO + Math.floor(byte / 100);
    if (byte >= 10) all[to++] = ZERO + (Math.floor(byte / 10) % 10);
    all[to++] = ZERO + (byte % 10);
  }
  const out = privateCopy(all.subarray(0, to));
  all.fill(0);
  return out;
}

const ZERO = 0x30;
