import type { Span } from './finding.ts';
import type { Lexeme } from './lexemes.ts';
import { isTooLongToPrint, plainText } from './received.ts';

/** A piece of the text that an excerpt must not show, and what it shows instead. */
export interface Mask extends Span {
  readonly show: string;
}

/** Lines longer than this are shown in part, around the place that matters. */
const WIDEST_EXCERPT = 100;

/** The lines of a text, and where an offset is in them. LF, CRLF and CR end a line. */
export class Lines {
  readonly #text: string;
  readonly #starts: number[];

  constructor(text: string) {
    this.#text = text;
    // No editor counts a byte order mark as a column.
    this.#starts = [text.startsWith('\uFEFF') ? 1 : 0];
    for (const end of text.matchAll(/\r\n|\r|\n/g)) this.#starts.push(end.index + end[0].length);
  }

  /** Line and column of an offset, both 1-based. */
  position(offset: number): { line: number; column: number } {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: Math.max(0, offset - (this.#starts[low] ?? 0)) + 1 };
  }

  /** Where a line starts and ends, without its line break. */
  span(line: number): Span {
    const start = this.#starts[line - 1] ?? 0;
    let end = this.#starts[line] ?? this.#text.length;
    while (end > start && (this.#text[end - 1] === '\n' || this.#text[end - 1] === '\r')) end -= 1;
    return { start, end };
  }
}

/** The masks of everything that is not a key, for a text whose values cannot be told apart. */
export function maskAllValues(text: string, parts: readonly Lexeme[]): Mask[] {
  const code = parts.filter((part) => part.kind !== 'comment');
  const isKey = (part: Lexeme, next: Lexeme | undefined) =>
    next !== undefined && text[next.start] === ':' && !isTooLongToPrint(text.slice(part.start, part.end));
  const values = code.filter((part, index) => {
    if (part.kind === 'string') return !isKey(part, code[index + 1]);
    if (part.kind === 'punctuation') return false;
    return !isKey(part, code[index + 1]) && !/^(true|false|null)$/.test(text.slice(part.start, part.end));
  });
  return [...maskComments(parts), ...values.map((part) => maskValue(part))];
}

/** The masks of the comments: one may hold what was commented out. */
export function maskComments(parts: readonly Lexeme[]): Mask[] {
  return parts
    .filter((part) => part.kind === 'comment')
    .map(({ start, end }) => ({ start, end, show: '/*…*/' }));
}

/** The mask of one value. */
export function maskValue({ start, end }: Span): Mask {
  return { start, end, show: '…' };
}

/** Masks by their start, without those inside another. */
export function mergeMasks(masks: readonly Mask[]): Mask[] {
  const merged: Mask[] = [];
  for (const mask of masks.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    if (mask.start >= (merged.at(-1)?.end ?? 0)) merged.push(mask);
  }
  return merged;
}

/**
 * The line of an offset with a caret under it, as two lines of text. What the masks cover is left out, and a
 * long line is cut around the caret. `masks` come from {@link mergeMasks}.
 */
export function excerpt(text: string, lines: Lines, offset: number, masks: readonly Mask[]): string {
  const { line } = lines.position(offset);
  const { start, end } = lines.span(line);
  const target = Math.min(offset, end);
  // Enough on both sides to fill the excerpt; what is further away is never looked at.
  const from = Math.max(start, target - WIDEST_EXCERPT);
  const to = Math.min(end, target + WIDEST_EXCERPT);
  let shown = '';
  let caret: number | undefined;
  let at = from;
  for (let index = firstMask(masks, from); at < to; index += 1) {
    const mask = masks[index];
    const plainEnd = Math.min(mask?.start ?? to, to);
    if (plainEnd > at) {
      if (target >= at && target < plainEnd) caret = shown.length + plain(text.slice(at, target)).length;
      shown += plain(text.slice(at, plainEnd));
      at = plainEnd;
    }
    if (mask === undefined || mask.start >= to) break;
    if (target >= at && target < mask.end) caret = shown.length;
    shown += mask.show;
    at = mask.end;
  }
  const window = cut(shown, caret ?? shown.length, from > start, to < end);
  const gutter = `${line} | `;
  return `${gutter}${window.text}\n${' '.repeat(gutter.length - 2)}| ${' '.repeat(window.caret)}^`;
}

function firstMask(masks: readonly Mask[], from: number): number {
  let low = 0;
  let high = masks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((masks[middle]?.end ?? 0) <= from) low = middle + 1;
    else high = middle;
  }
  return low;
}

function cut(shown: string, caret: number, cutBefore: boolean, cutAfter: boolean) {
  const from = shown.length <= WIDEST_EXCERPT ? 0 : Math.max(0, caret - WIDEST_EXCERPT / 2);
  const before = cutBefore || from > 0 ? '…' : '';
  const after = cutAfter || from + WIDEST_EXCERPT < shown.length ? '…' : '';
  const text = `${before}${shown.slice(from, from + WIDEST_EXCERPT)}${after}`.trimEnd();
  return { text, caret: caret - from + before.length };
}

// A tab has no width of its own, and the caret below would miss its place.
function plain(text: string): string {
  return plainText(text.replaceAll('\t', ' '));
}
