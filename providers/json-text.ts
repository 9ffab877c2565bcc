/** Where a value stands in the bytes of a JSON text; `end` is exclusive. */
export interface JsonSpan {
  readonly start: number;
  readonly end: number;
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [0x7b, 0x7d, 0x5b, 0x5d];
const BOM = [0xef, 0xbb, 0xbf];

/**
 * The value of a whole JSON text, without the white space around it and the byte order mark that some editors put first;
 * undefined when it is not JSON. What is looked for in it is found where it stands, and taken or replaced there: who parses
 * and prints a foreign text alters numbers that JavaScript cannot hold, and its layout.
 */
export function rootSpan(bytes: Uint8Array): JsonSpan | undefined {
  const from = BOM.every((byte, at) => bytes[at] === byte) ? BOM.length : 0;
  try {
    JSON.parse(decode(bytes.subarray(from)));
  } catch {
    // The parser's own words quote the text.
    return undefined;
  }
  const start = skipSpace(bytes, from);
  return { start, end: valueEnd(bytes, start) };
}

/** A member of an object, or an element of an array by its number; of a name that is written twice the last, as in JSON.parse. */
export function memberSpan(bytes: Uint8Array, holder: JsonSpan, name: string): JsonSpan | undefined {
  const isObject = bytes[holder.start] === OPEN_OBJECT;
  if (!isObject && bytes[holder.start] !== OPEN_ARRAY) return undefined;
  let found: JsonSpan | undefined;
  let at = skipSpace(bytes, holder.start + 1);
  for (let index = 0; at < holder.end - 1; index += 1) {
    let written = String(index);
    if (isObject) {
      const end = stringEnd(bytes, at);
      const inner = bytes.subarray(at + 1, end - 1);
      written = inner.includes(BACKSLASH)
        ? (JSON.parse(decode(bytes.subarray(at, end))) as string)
        : decode(inner);
      at = skipSpace(bytes, skipSpace(bytes, end) + 1);
    }
    const span = { start: at, end: valueEnd(bytes, at) };
    if (written === name) found = span;
    at = skipSpace(bytes, span.end);
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
  }
  return found;
}

/** What stands there, for who wants the value: of a string its text, of all else the JSON, byte for byte; nothing of `null`. */
export function textAt(bytes: Uint8Array, span: JsonSpan): Uint8Array | undefined {
  const written = bytes.subarray(span.start, span.end);
  const kind = kindAt(bytes, span);
  if (kind === 'null') return undefined;
  if (kind !== 'string') return Uint8Array.from(written);
  return new TextEncoder().encode(JSON.parse(decode(written)) as string);
}

export type JsonKind = 'string' | 'number' | 'boolean' | 'null' | 'object' | 'array';

/** What a value that is no number begins with. */
const KINDS: Readonly<Record<string, JsonKind>> = {
  '"': 'string',
  '{': 'object',
  '[': 'array',
  n: 'null',
  t: 'boolean',
  f: 'boolean',
};

export function kindAt(bytes: Uint8Array, { start }: JsonSpan): JsonKind {
  return KINDS[String.fromCharCode(bytes[start] ?? 0)] ?? 'number';
}

/**
 * The text with another value in the place of one; every other byte stays. The value stays what it was: a text is a string
 * in the place of a string or `null`; in that of a number or boolean it is one too, if it can be; in that of an object or
 * array it is JSON that takes its place. Undefined when it is not.
 */
export function withValueAt(bytes: Uint8Array, span: JsonSpan, text: string): Buffer | undefined {
  const written = printed(kindAt(bytes, span), text);
  if (written === undefined) return undefined;
  return Buffer.concat([bytes.subarray(0, span.start), Buffer.from(written), bytes.subarray(span.end)]);
}

function printed(kind: JsonKind, text: string): string | undefined {
  if (kind === 'string' || kind === 'null') return JSON.stringify(text);
  const bytes = new TextEncoder().encode(text);
  const span = rootSpan(bytes);
  if (kind === 'number' || kind === 'boolean')
    return span !== undefined && span.end - span.start === bytes.length && kindAt(bytes, span) === kind
      ? text
      : JSON.stringify(text);
  if (span === undefined) return undefined;
  const is = kindAt(bytes, span);
  return is === 'object' || is === 'array' ? decode(bytes.subarray(span.start, span.end)) : undefined;
}

/** The end of the value that begins at `at`, in a text that is known to be JSON. */
function valueEnd(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first === QUOTE) return stringEnd(bytes, at);
  if (first !== OPEN_OBJECT && first !== OPEN_ARRAY) {
    let end = at;
    while (end < bytes.length && !isDelimiter(bytes[end])) end += 1;
    return end;
  }
  let depth = 0;
  for (let end = at; end < bytes.length;) {
    const byte = bytes[end];
    if (byte === QUOTE) {
      end = stringEnd(bytes, end);
      continue;
    }
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth += 1;
    if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) depth -= 1;
    end += 1;
    if (depth === 0) return end;
  }
  return bytes.length;
}

function stringEnd(bytes: Uint8Array, at: number): number {
  let end = at + 1;
  while (end < bytes.length && bytes[end] !== QUOTE) end += bytes[end] === BACKSLASH ? 2 : 1;
  return end + 1;
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (isSpace(bytes[at])) at += 1;
  return at;
}

const isSpace = (byte: number | undefined): boolean =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

const isDelimiter = (byte: number | undefined): boolean =>
  isSpace(byte) || byte === COMMA || byte === CLOSE_OBJECT || byte === CLOSE_ARRAY;

// What would be a byte order mark at the start of a text is a letter like any other within it.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

const decode = (bytes: Uint8Array): string => decoder.decode(bytes);
