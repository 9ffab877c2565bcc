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
  const wanted = Buffer.from(name);
  let found: JsonSpan | undefined;
  let at = skipSpace(bytes, holder.start + 1);
  for (let index = 0; at < holder.end - 1; index += 1) {
    let isWanted = !isObject && String(index) === name;
    if (isObject) {
      const end = stringEnd(bytes, at);
      isWanted = isText(bytes.subarray(at, end), name, wanted);
      at = skipSpace(bytes, skipSpace(bytes, end) + 1);
    }
    const span = { start: at, end: valueEnd(bytes, at) };
    if (isWanted) found = span;
    at = skipSpace(bytes, span.end);
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
  }
  return found;
}

/** Whether a string is this text, without making one of each name of a document. */
function isText(written: Uint8Array, text: string, bytes: Buffer): boolean {
  if (written.includes(BACKSLASH)) return JSON.parse(decode(written)) === text;
  return written.length === bytes.length + 2 && bytes.equals(written.subarray(1, -1));
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
  const json = printed(kindAt(bytes, span), text);
  return json === undefined ? undefined : withJsonAt(bytes, span, json);
}

/** The same with JSON as it is to stand there. */
export function withJsonAt(bytes: Uint8Array, span: JsonSpan, json: string): Buffer {
  return Buffer.concat([bytes.subarray(0, span.start), Buffer.from(json), bytes.subarray(span.end)]);
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
  for (let quote = bytes.indexOf(QUOTE, at + 1); quote >= 0; quote = bytes.indexOf(QUOTE, quote + 1)) {
    let first = quote;
    while (bytes[first - 1] === BACKSLASH) first -= 1;
    // Each two of them are one in the text; one that is left makes the quote a part of it.
    if ((quote - first) % 2 === 0) return quote + 1;
  }
  return bytes.length;
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

function decode(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
