import type { PatternIndex, Span } from './pattern-index.ts';
import { sourceOf, type Cut, type Reading } from './reading.ts';
import { lastBorder, tailOf } from './stretches.ts';
import { isEscaped, isPacked, readingsOf } from './unescape.ts';

/** A place at which a value stands. */
export interface Found extends Span {
  /** Whether whatever follows the text belongs to the value. */
  readonly toTheEnd: boolean;
}

/** The places at which values stand in a text, by where they begin. Without `inPacked` those in base64 and hex are left out. */
export function spansIn(text: string, patterns: PatternIndex, inPacked: boolean): readonly Found[] {
  const spans = plainSpans(text, patterns);
  const read = readSpans(text, patterns, inPacked);
  return read.length === 0 ? spans : inOrder([...spans, ...read]);
}

/** The places of values in a text that is read in other ways than as it is. */
function readSpans(text: string, patterns: PatternIndex, inPacked: boolean): Found[] {
  const spans: Found[] = [];
  if (!isWorthReading(text, patterns, inPacked)) return spans;
  for (const reading of readingsOf(text, patterns, inPacked)) spans.push(...spansOf(reading, patterns));
  return spans;
}

/** Whether a text, which as it is has no value, may have one all the same. Cheap. */
export function isWorthReading(text: string, patterns: PatternIndex, inPacked: boolean): boolean {
  return inPacked ? isPacked(text, patterns) : isEscaped(text, patterns);
}

function plainSpans(text: string, patterns: PatternIndex): Found[] {
  const spans: Found[] = [];
  const seen = new Map();
  for (let span = patterns.find(text, 0, seen); span; span = patterns.find(text, span.start + 1, seen))
    spans.push(span);
  return spans;
}

/** The spans of the text that a reading was made of. */
function spansOf(reading: Reading, patterns: PatternIndex): Found[] {
  return plainSpans(reading.text, patterns).map((span) => {
    const { start, end } = reading.toSource(span);
    return { start, end, toTheEnd: span.toTheEnd && reading.isOpen };
  });
}

function inOrder(spans: readonly Found[]): Found[] {
  return spans.toSorted((a, b) => a.start - b.start);
}

/** What is known of a text that may go on. */
export interface SpansSoFar {
  /** Where values stand: all that begin before `limit`, and what is known of others. */
  readonly spans: readonly Found[];
  /** The first place from which on a value may begin that is not whole yet. */
  readonly limit: number;
  /** The place, at `limit` or before it, from which on the text reads the same alone. */
  readonly from: number;
}

/**
 * The values in a text that may go on; undefined when it has none and none may begin in it. Those in base64 and hex are
 * left out.
 */
export function spansSoFar(text: string, patterns: PatternIndex): SpansSoFar | undefined {
  const spans = plainSpans(text, patterns);
  const partial = patterns.partial(text);
  let from = 0;
  if (isEscaped(text, patterns)) {
    // What ends before a unit that no value has, however it is escaped, is read as a whole.
    from = lastBorder(text, patterns);
    for (const { start, end, toTheEnd } of readSpans(text.slice(0, from), patterns, false))
      spans.push({ start, end: toTheEnd ? text.length : end, toTheEnd });
  } else {
    // Where nothing has to be read, what ends before the tail is a value as it is or none.
    from = tailFrom(text, partial, patterns);
  }
  if (from === text.length)
    return spans.length === 0 ? undefined : { spans: inOrder(spans), limit: from, from };
  const tail = text.slice(from);
  let limit = partial - from;
  let kept = limit;
  const cut: Cut = (reading, unit, isLikely = true) => {
    const place = sourceOf(reading, unit);
    if (isLikely) limit = Math.min(limit, place);
    kept = Math.min(kept, place);
  };
  const readings: Reading[] = [];
  for (const reading of readingsOf(tail, patterns, false, cut)) {
    readings.push(reading);
    for (const { start, end, toTheEnd } of spansOf(reading, patterns))
      spans.push({ start: from + start, end: from + end, toTheEnd });
    if (!reading.isOpen) continue;
    const begun = patterns.partial(reading.text);
    if (begun < reading.text.length) cut(reading, begun);
  }
  for (let before = -1; before !== kept;) {
    before = kept;
    for (const reading of readings) kept = reading.cutBefore(kept);
  }
  return { spans: inOrder(spans), limit: from + limit, from: from + kept };
}

/** Whether a text that need not be read, and has no value, ends without the beginning of one. */
export function isCalmEnd(text: string, patterns: PatternIndex): boolean {
  return patterns.partial(text) === text.length && tailOf(text, text.length) === text.length;
}

/** The place from which on the end of a text has to be read; its length when it has not. */
function tailFrom(text: string, partial: number, patterns: PatternIndex): number {
  let from = tailOf(text, partial);
  if (from === text.length) return from;
  // A value may begin before the tail, as it is, and go on in it.
  for (let begun = patterns.partial(text.slice(0, from)); begun < from;) {
    from = tailOf(text, begun);
    begun = patterns.partial(text.slice(0, from));
  }
  return from;
}
