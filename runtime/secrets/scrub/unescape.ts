import { codeOf, escapeAt, lengthOf, markOf, type EscapeKind } from './escapes.ts';
import { hasEscapedLists, hasLists, isText, listsIn, packedIn } from './packed.ts';
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
/** The characters of readings that are allowed in any case. */
const FREE = 10_000;

const kinds: readonly EscapeKind[] = ['percent', 'backslash', 'entity', 'apostrophe', 'quote'];

/** Whether {@link readingsOf} has anything to give. Cheap: most texts have no escapes. */
export function isEscaped(text: string, wanted: Wanted): boolean {
  return (
    isWorthReading(text, 'backslash', wanted) ||
    isWorthReading(text, 'percent', wanted) ||
    isWorthReading(text, 'entity', wanted) ||
    isWorthReading(text, 'apostrophe', wanted) ||
    isWorthReading(text, 'quote', wanted) ||
    hasLists(text) ||
    (wanted.hasSpace && text.includes('+'))
  );
}

/**
 * The readings of a text: without the escapes of one kind, and then without those of a kind again, three times at
 * most. One kind at a time, because an escape of another kind may be part of what is escaped. An escape that stands
 * neither for a wanted unit nor for the mark of another escape is no reason to read the text. Lists of bytes are read,
 * too. With `inPacked` also the base64 and hex in a text, and what is escaped in all of these, which takes longer.
 */
export function* readingsOf(text: string, wanted: Wanted, inPacked = false): Generator<Reading> {
  const seen = new Set([text]);
  let left = text.length * MOST_TIMES + FREE;
  let layer: Reading[] = [{ text, toSource: (span) => span }];
  for (let depth = 0; depth < LAYERS && layer.length > 0; depth += 1) {
    const next: Reading[] = [];
    for (const under of layer) {
      for (const reading of onceUnescaped(under, wanted)) {
        // The same text may be packed in several places.
        const key = inPacked
          ? `${reading.toSource({ start: 0, end: 1 }).start} ${reading.text}`
          : reading.text;
        if (seen.has(key)) continue;
        seen.add(key);
        left -= reading.text.length;
        if (left < 0) return;
        yield reading;
        next.push(reading);
      }
      const packed = inPacked ? packedIn(under) : hasLists(under.text) ? listsIn(under) : [];
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

function* onceUnescaped(under: Reading, wanted: Wanted): Generator<Reading> {
  for (const kind of kinds) {
    const { text } = under;
    if (!isWorthReading(text, kind, wanted)) continue;
    const [reading, isWide] = unescaped(under, text, kind, false);
    yield reading;
    // In the text around it bytes may stand for characters, each as one unit.
    if (isWide) yield unescaped(under, text, kind, true)[0];
  }
  if (!under.text.includes('+') || !(wanted.hasSpace || under.text.includes('%'))) return;
  // The length is kept, so that every place stays where it was.
  const text = under.text.replaceAll('+', ' ');
  if (text.includes('%')) yield unescaped(under, text, 'percent', false)[0];
  else yield { text, toSource: (span) => under.toSource(span) };
}

function isWorthReading(text: string, kind: EscapeKind, wanted: Wanted): boolean {
  const mark = markOf[kind];
  let at = text.indexOf(mark);
  if (at < 0) return false;
  if (kind !== 'apostrophe' && hasEscapedLists(text)) return true;
  while (at >= 0) {
    const found = escapeAt(kind, text, at);
    const code = codeOf(found);
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

/**
 * With `inBytes` every character outside ASCII becomes the bytes of its UTF-8, each as one unit. Also returns whether
 * there are any.
 */
function unescaped(under: Reading, text: string, kind: EscapeKind, inBytes: boolean): [Reading, boolean] {
  const mark = markOf[kind];
  const escapes: Escape[] = [];
  let [out, done, isWide] = ['', 0, false];
  for (let at = text.indexOf(mark); at >= 0;) {
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
  return [new UnescapedText(out, escapes, under), isWide];
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

  constructor(text: string, escapes: readonly Escape[], under: Reading) {
    this.text = text;
    this.#escapes = escapes;
    this.#under = under;
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
