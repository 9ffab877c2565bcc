import { codeOf, escapeAt, isCut, lengthOf, LONGEST, markOf, type EscapeKind } from './escapes.ts';
import { hasEscapedLists, hasLists, isOfLists, listsIn } from './byte-lists.ts';
import { isText, packedIn } from './packed.ts';
import type { Span } from './pattern-index.ts';
import type { Reading } from './reading.ts';

/** The properties of the searched values that decide which escapes are worth reading. */
export interface Wanted {
  /** Whether a searched value may have that UTF-16 unit. */
  mayHave(unit: number): boolean;
  /** Whether a searched value may have a space, for which forms have a plus sign. */
  readonly hasSpace: boolean;
}

/** The most escapes around each other: JSON in JSON in a URL. */
const LAYERS = 3;
/**
 * The most characters of all readings, in lengths of the text, so that a text with escapes of all kinds in each other
 * gets no more of the host's time.
 */
const MOST_TIMES = 16;
/** The characters, at the end of a text that goes on, in which an escape may be of a list that has just begun. */
const NEAR = 8;
/** The characters of readings that are allowed in any case. */
const FREE = 10_000;

const kinds: readonly EscapeKind[] = ['percent', 'backslash', 'entity', 'apostrophe', 'quote'];

export interface ReadingOptions {
  /** Whether the base64 and hex in a text are read, too, and what is escaped in them. That takes longer. */
  readonly inPacked?: boolean;
  /** Whether the text is a part of a longer one. */
  readonly isPart?: boolean;
  /** Whether more may follow the text: then an escape that its end may have cut is a reason to read it. */
  readonly goesOn?: boolean;
}

/** Whether {@link readingsOf} has anything to give. Cheap: most texts have no escapes. */
export function isEscaped(
  text: string,
  wanted: Wanted,
  { isPart = false, goesOn = false }: ReadingOptions = {},
): boolean {
  return (
    isWorthReading(text, 'backslash', wanted, goesOn) ||
    isWorthReading(text, 'percent', wanted, goesOn) ||
    isWorthReading(text, 'entity', wanted, goesOn) ||
    isWorthReading(text, 'apostrophe', wanted, goesOn) ||
    isWorthReading(text, 'quote', wanted, goesOn) ||
    hasLists(text, isPart) ||
    (wanted.hasSpace && text.includes('+'))
  );
}

/**
 * Whether {@link isEscaped} may be true of bytes, which are a character each, that are a part of a longer text. Faster;
 * it leaves lists of bytes out.
 */
export function mayBeEscaped(bytes: Buffer, wanted: Wanted): boolean {
  return (
    bytes.includes(BACKSLASH) ||
    bytes.includes(PERCENT) ||
    bytes.includes(AMPERSAND) ||
    (wanted.hasSpace && bytes.includes(PLUS)) ||
    (wanted.mayHave(APOSTROPHE) && (bytes.includes(APOSTROPHE) || bytes.includes(QUOTE))) ||
    (wanted.mayHave(QUOTE) && bytes.includes(QUOTE))
  );
}

const [BACKSLASH, PERCENT, AMPERSAND, PLUS, APOSTROPHE, QUOTE] = [0x5c, 0x25, 0x26, 0x2b, 0x27, 0x22];

/**
 * The readings of a text: without the escapes of one kind, and then without those of a kind again, three times at
 * most. One kind at a time, because an escape of another kind may be part of what is escaped. An escape that stands
 * neither for a wanted unit nor for the mark of another escape is no reason to read the text. Lists of bytes are read,
 * too.
 */
export function* readingsOf(
  text: string,
  wanted: Wanted,
  { inPacked = false, isPart = false, goesOn = false }: ReadingOptions = {},
): Generator<Reading> {
  const seen = new Set([text]);
  let left = text.length * MOST_TIMES + FREE;
  let layer: Reading[] = [{ text, toSource: (span) => span, certain: text.length }];
  for (let depth = 0; depth < LAYERS && layer.length > 0; depth += 1) {
    const next: Reading[] = [];
    for (const under of layer) {
      for (const reading of onceUnescaped(under, wanted, goesOn)) {
        // The same text may be packed in several places, and what follows may not change it in the same way.
        const key = inPacked
          ? `${reading.toSource({ start: 0, end: 1 }).start} ${reading.text}`
          : goesOn
            ? `${reading.certain} ${reading.text}`
            : reading.text;
        if (seen.has(key)) continue;
        seen.add(key);
        left -= reading.text.length;
        if (left < 0) return;
        yield reading;
        next.push(reading);
      }
      const packed = inPacked ? packedIn(under) : hasLists(under.text, isPart) ? listsIn(under, goesOn) : [];
      for (const reading of packed) {
        left -= reading.text.length;
        if (left < 0) return;
        yield reading;
        if (inPacked && isText(reading.text)) next.push(reading);
      }
    }
    layer = next;
  }
}

function* onceUnescaped(under: Reading, wanted: Wanted, goesOn: boolean): Generator<Reading> {
  for (const kind of kinds) {
    const { text } = under;
    if (!isWorthReading(text, kind, wanted, goesOn)) continue;
    const [reading, isWide] = unescaped(under, text, kind, { inBytes: false, goesOn });
    yield reading;
    // In the text around it bytes may stand for characters, each as one unit.
    if (isWide) yield unescaped(under, text, kind, { inBytes: true, goesOn })[0];
  }
  if (!under.text.includes('+') || !(wanted.hasSpace || under.text.includes('%'))) return;
  // The length is kept, so that every place stays where it was.
  const text = under.text.replaceAll('+', ' ');
  if (text.includes('%')) yield unescaped(under, text, 'percent', { inBytes: false, goesOn })[0];
  else yield { ...certainOf(under), text, toSource: (span) => under.toSource(span) };
}

function isWorthReading(text: string, kind: EscapeKind, wanted: Wanted, goesOn: boolean): boolean {
  const mark = markOf[kind];
  let at = text.indexOf(mark);
  if (at < 0) return false;
  if (kind !== 'apostrophe' && hasEscapedLists(text)) return true;
  // A quote stands for a quote, or is a part of what stands for the other.
  if (kind === 'apostrophe' && !wanted.mayHave(0x27)) return false;
  if (kind === 'quote' && !wanted.mayHave(0x22) && !wanted.mayHave(0x27)) {
    if (!goesOn) return false;
    // Which quotes are a pair is decided where a run of them begins.
    at = Math.max(0, text.length - NEAR);
    while (at > 0 && text[at - 1] === mark) at -= 1;
    at = text.indexOf(mark, at);
  }
  while (at >= 0) {
    if (goesOn && isCut(kind, text, at)) return true;
    const found = escapeAt(kind, text, at);
    const code = codeOf(found);
    if (goesOn && found > 0 && at + lengthOf(found) > text.length - NEAR && isOfLists(code)) return true;
    if (found > 0 && (code > 0xffff || isMark(code, wanted) || wanted.mayHave(code))) return true;
    at = text.indexOf(mark, at + Math.max(1, lengthOf(found)));
  }
  return false;
}

/** Whether escapes begin with the unit or contain it, since an escape may stand for a character of another. */
function isMark(code: number, wanted: Wanted): boolean {
  if (code === 0x5c || code === 0x25 || code === 0x26) return true;
  return code === 0x2b ? wanted.hasSpace : code === 0x22 && wanted.mayHave(0x27);
}

interface UnescapeOptions {
  /** Whether every character outside ASCII becomes the bytes of its UTF-8, each as one unit. */
  readonly inBytes: boolean;
  readonly goesOn: boolean;
}

/** Also returns whether there are characters outside ASCII. With `goesOn` it reads up to an escape that may be cut. */
function unescaped(
  under: Reading,
  text: string,
  kind: EscapeKind,
  { inBytes, goesOn }: UnescapeOptions,
): [Reading, boolean] {
  const mark = markOf[kind];
  const escapes: Escape[] = [];
  let [out, done, isWide] = ['', 0, false];
  for (let at = text.indexOf(mark); at >= 0;) {
    if (goesOn && (isCut(kind, text, at) || (inBytes && isCutPair(kind, text, at)))) {
      out += text.slice(done, at);
      const certain = under.toSource({ start: at, end: at + 1 }).start;
      return [new UnescapedText(out, escapes, under, certain), isWide];
    }
    const found = escapeAt(kind, text, at);
    const length = Math.max(1, lengthOf(found));
    if (found > 0) {
      const code = codeOf(found);
      isWide ||= code >= 0x80 && kind !== 'percent';
      out += text.slice(done, at);
      const [from, before] = [at, out.length];
      if (inBytes && code >= 0x80) {
        const [point, more] = withLowHalf(kind, text, at + length, code);
        done = at + length + more;
        out += Buffer.from(String.fromCodePoint(point)).toString('latin1');
      } else {
        done = at + length;
        out += String.fromCodePoint(code);
      }
      escapes.push({ at: before, units: out.length - before, from, to: done });
    }
    at = text.indexOf(mark, Math.max(done, at + length));
  }
  out += text.slice(done);
  return [new UnescapedText(out, escapes, under, under.certain), isWide];
}

/** The beginning of an escape, of whatever kind, that is over that place; the place itself when there is none. */
export function escapeOver(text: string, place: number): number {
  let first = place;
  for (const kind of kinds) {
    const mark = markOf[kind];
    if (!text.slice(Math.max(0, place - LONGEST), place).includes(mark)) continue;
    for (let at = text.indexOf(mark); at >= 0 && at < place;) {
      const end = at + Math.max(1, lengthOf(escapeAt(kind, text, at)));
      if (end > place) first = Math.min(first, at);
      at = text.indexOf(mark, end);
    }
  }
  return first;
}

function certainOf({ certain }: Reading): Pick<Reading, 'certain'> {
  return certain === undefined ? {} : { certain };
}

/** Whether the escape at `at` is the first half of a character whose second may follow the text. */
function isCutPair(kind: EscapeKind, text: string, at: number): boolean {
  const found = escapeAt(kind, text, at);
  const code = codeOf(found);
  if (code < 0xd800 || code > 0xdbff) return false;
  const next = at + lengthOf(found);
  return next >= text.length || (text[next] === markOf[kind] && isCut(kind, text, next));
}

/** The code point of two escapes that are the halves of one, and the length of the second. */
function withLowHalf(
  kind: EscapeKind,
  text: string,
  at: number,
  high: number,
): [point: number, more: number] {
  if (high < 0xd800 || high > 0xdbff || text[at] !== markOf[kind]) return [high, 0];
  const found = escapeAt(kind, text, at);
  const low = codeOf(found);
  if (low < 0xdc00 || low > 0xdfff) return [high, 0];
  return [(high - 0xd800) * 0x400 + (low - 0xdc00) + 0x10000, lengthOf(found)];
}

/** The `units` at `at` that an escape from `from` to `to` stands for. */
interface Escape {
  readonly at: number;
  readonly units: number;
  readonly from: number;
  readonly to: number;
}

class UnescapedText implements Reading {
  readonly text: string;
  readonly #escapes: readonly Escape[];
  readonly #under: Reading;
  readonly certain?: number;

  constructor(text: string, escapes: readonly Escape[], under: Reading, certain: number | undefined) {
    this.text = text;
    this.#escapes = escapes;
    this.#under = under;
    if (certain !== undefined) this.certain = certain;
  }

  toSource({ start, end }: Span): Span {
    const [, first] = this.#unitAt(start);
    const [last] = this.#unitAt(end - 1);
    return this.#under.toSource({ start: first, end: last });
  }

  /** The end and the start of the unit in the text below. */
  #unitAt(unit: number): [end: number, start: number] {
    let [low, high] = [0, this.#escapes.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#escapes[middle] as Escape).at <= unit) low = middle + 1;
      else high = middle;
    }
    const escape = this.#escapes[low - 1];
    if (escape === undefined) return [unit + 1, unit];
    if (unit < escape.at + escape.units) return [escape.to, escape.from];
    const start = escape.to + unit - escape.at - escape.units;
    return [start + 1, start];
  }
}
