import { privateCopy } from './vault.ts';

const base64Alphabet = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const base64UrlAlphabet = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');
const lowerHex = Buffer.from('0123456789abcdef');
const upperHex = Buffer.from('0123456789ABCDEF');

/**
 * The forms in which a value may turn up in text, as bytes: itself, hex, and base64 wherever in a longer
 * text the value may begin. Bytes and not strings, because strings could not be wiped afterwards.
 */
export function encodings(value: Buffer): Buffer[] {
  const forms = [privateCopy(value), hex(value, lowerHex), hex(value, upperHex)];
  for (const alphabet of [base64Alphabet, base64UrlAlphabet]) {
    for (const before of [0, 1, 2]) forms.push(base64Core(value, before, alphabet));
  }
  return forms;
}

function hex(value: Buffer, digits: Buffer): Buffer {
  const out = Buffer.allocUnsafeSlow(value.length * 2);
  for (const [at, byte] of value.entries()) {
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
  for (const at of out.keys()) {
    const bit = firstBit + at * 6 - before * 8;
    const byte = bit >> 3;
    const pair = ((value[byte] ?? 0) << 8) | (value[byte + 1] ?? 0);
    out[at] = alphabet[(pair >> (10 - (bit & 7))) & 63] ?? 0;
  }
  return out;
}
