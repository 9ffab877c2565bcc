import type { Span } from '../config/finding.ts';

/** What stands where a whole text, or a line of a comment, was one value or held one. */
export const REMOVED = 'removed: it held a credential';
/** What stands where an item of a list was one: no audit takes it for a credential. */
export const REMOVED_ITEM = `<${REMOVED}>`;
/** What stands where a value was a part of a text. */
export const GAP = '[removed: a credential]';

export interface Replacement extends Span {
  readonly text: string;
}

/** A text with other texts in the place of spans of it, which do not overlap. */
export function replaced(text: string, replacements: readonly Replacement[]): string {
  let result = '';
  let at = 0;
  for (const { start, end, text: instead } of replacements.toSorted((a, b) => a.start - b.start)) {
    result += text.slice(at, start) + instead;
    at = end;
  }
  return result + text.slice(at);
}

/** Spans in their order, those that overlap or touch as one. */
export function joined(spans: readonly Span[]): Span[] {
  const result: { start: number; end: number }[] = [];
  for (const { start, end } of spans.toSorted((a, b) => a.start - b.start)) {
    const last = result.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else result.push({ start, end });
  }
  return result;
}

/** Whether the spans are all of a text. */
export function isAll(spans: readonly Span[], { length }: string): boolean {
  const [first] = joined(spans);
  return first?.start === 0 && first.end === length;
}

/** The lines of a text without what ends them. */
export function linesOf(text: string): Span[] {
  const lines: Span[] = [];
  let start = 0;
  for (const { index, 0: end } of text.matchAll(/\r\n|\r|\n/g)) {
    lines.push({ start, end: index });
    start = index + end.length;
  }
  lines.push({ start, end: text.length });
  return lines;
}
