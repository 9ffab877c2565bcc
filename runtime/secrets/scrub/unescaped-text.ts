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
  let { text } = under;
  const mark = markOf[kind];
  const escapes: Escape[] = [];
  let [out, done, isWide] = ['', 0, false];
  for (let at = text.indexOf(mark); at >= 0;) {
    if (cut !== undefined && under.isOpen && isCutEscape(kind, text, at)) {
      cut(under, at);
      text = text.slice(0, at);
      break;
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

  unitFrom(place: number): number {
    const below = this.#under.unitFrom(place);
    const escape = this.#escapeBefore(below);
    if (escape === undefined) return below;
    return escape.at + escape.units + Math.max(0, below - escape.to);
  }

  cutBefore(place: number): number {
    const cut = this.#under.cutBefore(place);
    const below = this.#under.unitFrom(cut);
    const escape = this.#escapeBefore(below);
    return escape === undefined || escape.to <= below
      ? cut
      : this.cutBefore(sourceOf(this.#under, escape.from));
  }

  /** The last escape that begins before that unit of the text below. */
  #escapeBefore(below: number): Escape | undefined {
    let [low, high] = [0, this.#escapes.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#escapes[middle] as Escape).from < below) low = middle + 1;
      else high = middle;
    }
    return this.#escapes[low - 1];
  }
}
