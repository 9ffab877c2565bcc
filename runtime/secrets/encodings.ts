import { privateCopy } from './vault.ts';

const base64Alphabet = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const base64UrlAlphabet = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');
const lowerHex = Buffer.from('0123456789abcdef');
const upperHex = Buffer.from('0123456789ABCDEF');

const alphanumeric = '0-9A-Za-z';
/** What each way of percent-encoding leaves as it is: encodeURIComponent, RFC 3986, encodeURI, a URL's user and password. */
const plainInUrls = [
  `${alphanumeric}_.!~*'()-`,
  `${alphanumeric}_.~-`,
  `${alphanumeric}_.!~*'();/?:@&=+$,#-`,
  `${alphanumeric}_.!~*'()$&+,%-`,
].map(asciiSet);
/** Of a form every other byte is encoded, and a space is a plus sign. */
const plainInForms = asciiSet(`${alphanumeric}*._-`);

/**
 * The forms in which a value may turn up in text, as bytes: itself, hex, base64 wherever in a longer text the value may
 * begin, percent-encoded as the usual functions do it, and escaped in JSON, once and twice. Bytes and not strings,
 * because strings could not be wiped afterwards. Each form once; what JSON or URLs leave as it is has fewer.
 */
export function encodings(value: Buffer): Buffer[] {
  const forms = [privateCopy(value), hex(value, lowerHex), hex(value, upperHex)];
  for (const alphabet of [base64Alphabet, base64UrlAlphabet]) {
    for (const before of [0, 1, 2]) forms.push(base64Core(value, before, alphabet));
  }
  for (const digits of [upperHex, lowerHex]) {
    for (const plain of plainInUrls) forms.push(percentEncoded(value, plain, digits));
    forms.push(percentEncoded(value, plainInForms, digits, true));
  }
  const escaped = jsonEscaped(value, false);
  forms.push(escaped, jsonEscaped(escaped, false), jsonEscaped(value, true));
  return distinct(forms);
}

function distinct(forms: readonly Buffer[]): Buffer[] {
  const kept: Buffer[] = [];
  for (const form of forms) {
    if (kept.some((other) => other.equals(form))) form.fill(0);
    else kept.push(form);
  }
  return kept;
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

function percentEncoded(value: Buffer, plain: Uint8Array, digits: Buffer, form = false): Buffer {
  const out = new Bytes(value.length * 3);
  for (const byte of value) {
    if (plain[byte] === 1) out.add(byte);
    else if (form && byte === SPACE) out.add(PLUS);
    else out.add(PERCENT, digits[byte >> 4] ?? 0, digits[byte & 15] ?? 0);
  }
  return out.taken();
}

/** As `JSON.stringify` writes it between the quotes; `slashes` too is what PHP and some others do. */
function jsonEscaped(value: Buffer, slashes: boolean): Buffer {
  const out = new Bytes(value.length * 6);
  for (const byte of value) {
    const short = shortEscapes.get(byte);
    if (short !== undefined) out.add(BACKSLASH, short);
    else if (slashes && byte === SLASH) out.add(BACKSLASH, SLASH);
    else if (byte >= SPACE) out.add(byte);
    else out.add(BACKSLASH, U, ZERO, ZERO, lowerHex[byte >> 4] ?? 0, lowerHex[byte & 15] ?? 0);
  }
  return out.taken();
}

const [SPACE, PERCENT, PLUS, SLASH, BACKSLASH, U, ZERO] = [0x20, 0x25, 0x2b, 0x2f, 0x5c, 0x75, 0x30];
const shortEscapes = new Map<number, number>(
  [
    ['"', '"'],
    ['\\', '\\'],
    ['\b', 'b'],
    ['\f', 'f'],
    ['\n', 'n'],
    ['\r', 'r'],
    ['\t', 't'],
  ].map(([from = '', to = '']) => [from.charCodeAt(0), to.charCodeAt(0)]),
);

/** Bytes of a number that is known at the end alone; what was written on the way is wiped. */
class Bytes {
  readonly #bytes: Buffer;
  #length = 0;

  constructor(atMost: number) {
    this.#bytes = Buffer.allocUnsafeSlow(atMost);
  }

  add(...bytes: readonly number[]): void {
    for (const byte of bytes) this.#bytes[this.#length++] = byte;
  }

  taken(): Buffer {
    const taken = privateCopy(this.#bytes.subarray(0, this.#length));
    this.#bytes.fill(0);
    return taken;
  }
}

function asciiSet(characters: string): Uint8Array {
  const inSet = new RegExp(`[${characters}]`);
  return Uint8Array.from({ length: 256 }, (_, code) =>
    code < 128 && inSet.test(String.fromCharCode(code)) ? 1 : 0,
  );
}
