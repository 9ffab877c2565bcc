import { codeOf, escapeAt, isCutEscape, lengthOf, markOf, type EscapeKind } from './escapes.ts';
import type { Span } from './pattern-index.ts';
import { sourceOf, type Cut, type Reading } from './reading.ts';

/**
 * A reading without its escapes of one kind. With `inBytes` every character outside ASCII becomes the bytes of its UTF-8, each as one unit. Also returns whether
 * there are any. With `cut` it ends before an escape that may go on behind the text.
 */
export function unescaped(
  under: Reading,
  kind: EscapeKind,
  inBytes: boolean,
  cut?: Cut,
): [reading: Reading, isWide: boolean] {
  const { text } = under;
  const mark = markOf[kind].charCodeAt(0);
  const escapes: number[] = [];
  // A character has no more bytes than twice the units of its escape.
  const units = new Uint16Array(text.length * (inBytes ? 2 : 1));
  let [count, all, isWide, isCut] = [0, 0, false, false];
  for (let at = 0; at < text.length && !isCut;) {
    const unit = text.charCodeAt(at);
    const found = unit === mark ? escapeAt(kind, text, at) : 0;
    if (unit === mark && cut !== undefined && under.isOpen && isCutEscape(kind, text, at)) {
      cut(under, at);
      isCut = true;
    } else if (found === 0) {
      units[count++] = unit;
      all |= unit;
      at += 1;
    } else {
      const [from, before, code] = [at, count, codeOf(found)];
      at += lengthOf(found);
      isWide ||= code >= 0x80 && kind !== 'percent';
      if (inBytes && code >= 0x80) {
        const [point, more] = withLowHalf(kind, text, at, code);
        at += more;
        for (const byte of Buffer.from(String.fromCodePoint(point))) units[count++] = byte;
      } else if (code > 0xffff) {
        for (const half of String.fromCodePoint(code).split('')) units[count++] = half.charCodeAt(0);
        all |= 0xffff;
      } else {
        units[count++] = code;
        all |= code;
      }
      escapes.push(before, count - before, from, at);
    }
  }
  return [new UnescapedText(textOf(units.subarray(0, count), all <= 0xff), escapes, under), isWide];
}

function textOf(units: Uint16Array, inLatin1: boolean): string {
  if (inLatin1) return Buffer.from(units).toString('latin1');
  return Buffer.from(units.buffer, 0, units.byteLength).toString('utf16le');
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

/** The numbers of one escape: the place of what it stands for, the units of that, and where it begins and ends. */
const [AT, UNITS, FROM, TO, EACH] = [0, 1, 2, 3, 4];

class UnescapedText implements Reading {
  readonly text: string;
  /** {@link EACH} numbers for each, because texts have many of them. */
  readonly #escapes: readonly number[];
  readonly #under: Reading;

  constructor(text: string, escapes: readonly number[], under: Reading) {
    this.text = text;
    this.#escapes = escapes;
    this.#under = under;
  }

  get isOpen(): boolean {
    return this.#under.isOpen;
  }

  toSource({ start, end }: Span): Span {
    const [, first] = this.#unitAt(start);
    const [last] = this.#unitAt(end - 1);
    return this.#under.toSource({ start: first, end: last });
  }

  /** The end and the start of the unit in the text below. */
  #unitAt(unit: number): [end: number, start: number] {
    const escape = this.#lastUpTo(AT, unit);
    if (escape < 0) return [unit + 1, unit];
    const behind = unit - this.#of(escape, AT) - this.#of(escape, UNITS);
    const to = this.#of(escape, TO);
    return behind < 0 ? [to, this.#of(escape, FROM)] : [to + behind + 1, to + behind];
  }

  unitFrom(place: number): number {
    const below = this.#under.unitFrom(place);
    const escape = this.#lastUpTo(FROM, below - 1);
    if (escape < 0) return below;
    return this.#of(escape, AT) + this.#of(escape, UNITS) + Math.max(0, below - this.#of(escape, TO));
  }

  cutBefore(place: number): number {
    const cut = this.#under.cutBefore(place);
    const below = this.#under.unitFrom(cut);
    const escape = this.#lastUpTo(FROM, below - 1);
    if (escape < 0 || this.#of(escape, TO) <= below) return cut;
    return this.cutBefore(sourceOf(this.#under, this.#of(escape, FROM)));
  }

  #of(escape: number, which: number): number {
    return this.#escapes[escape * EACH + which] as number;
  }

  /** The last escape of which that number is at most `most`; -1 when there is none. */
  #lastUpTo(which: number, most: number): number {
    let [low, high] = [0, this.#escapes.length / EACH];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#of(middle, which) <= most) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
