import type { Match, PatternIndex } from './pattern-index.ts';
import type { Reading } from './reading.ts';
import { REDACTED } from './redacted-copy.ts';

/** Adds where patterns stand in a text, or in a reading of it. */
export function addSpans(text: string, patterns: PatternIndex, spans: Match[], reading?: Reading): void {
  const seen = new Map();
  let match = patterns.find(text, 0, seen);
  while (match !== undefined) {
    spans.push(reading === undefined ? match : { ...reading.toSource(match), toTheEnd: match.toTheEnd });
    match = patterns.find(text, match.start + 1, seen);
  }
}

/** A text with a mark in the place of spans, and the place up to which it has been dealt with. */
export interface Redacted {
  readonly text: string;
  readonly done: number;
  readonly toTheEnd: boolean;
}

/**
 * Redacts a text from `done` up to `limit`. Of a span that begins before `done` there is a mark already. One that
 * begins at `limit` or before it gets its mark, and may reach further.
 */
export function redacted(text: string, spans: readonly Match[], done = 0, limit = text.length): Redacted {
  let out = '';
  let toTheEnd = false;
  for (const span of spans.toSorted((a, b) => a.start - b.start)) {
    if (span.start > limit) break;
    // Other matches may begin within one, and end behind it.
    if (span.start >= done) out += text.slice(done, span.start) + REDACTED;
    done = Math.max(done, span.end);
    toTheEnd ||= span.toTheEnd;
  }
  return { text: out + text.slice(done, Math.max(done, limit)), done: Math.max(done, limit), toTheEnd };
}
