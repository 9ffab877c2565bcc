import { cutList } from './byte-lists.ts';
import type { Match, PatternIndex } from './pattern-index.ts';
import type { Reading } from './reading.ts';
import { addSpans } from './spans.ts';
import { escapeOver, isEscaped, readingsOf } from './unescape.ts';

/** What is known of a part of a longer text. */
export interface Searched {
  readonly spans: Match[];
  /**
   * The place before which nothing changes, whatever follows: a span that is not among these begins there or later, as
   * does one of these that may grow.
   */
  readonly limit: number;
  /** The last place, at the given one or before it, from which the text reads as it does in the whole. */
  boundaryBefore(this: void, place: number): number;
}

/** Of a text in which nothing is searched for. */
export function nothing(text: string): Searched {
  return { spans: [], limit: text.length, boundaryBefore: (place) => place };
}

/** Searches a part of a longer text, of which all that came before is known to be of no more use. */
export function searched(text: string, patterns: PatternIndex, goesOn: boolean): Searched {
  const spans: Match[] = [];
  addSpans(text, patterns, spans);
  let limit = text.length;
  let from = text.length;
  const readings: Reading[] = [];
  const cutIn = (part: string, toSource: (place: number) => number): void => {
    const at = patterns.partial(part);
    if (at < part.length) limit = Math.min(limit, toSource(at));
    const list = cutList(part, patterns);
    if (list === undefined) return;
    if (list.at < part.length) limit = Math.min(limit, toSource(list.at));
    if (list.from < part.length) from = Math.min(from, toSource(list.from));
  };
  if (goesOn) cutIn(text, (place) => place);
  const options = { isPart: true, goesOn };
  if (isEscaped(text, patterns, options)) {
    for (const reading of readingsOf(text, patterns, options)) {
      addSpans(reading.text, patterns, spans, reading);
      if (!goesOn || reading.certain === undefined) continue;
      readings.push(reading);
      from = Math.min(from, reading.certain);
      // A quote that is in no value may still be of a list.
      if (text[reading.certain] !== '"' || patterns.mayHave(0x22)) limit = Math.min(limit, reading.certain);
      cutIn(reading.text, (place) => reading.toSource({ start: place, end: place + 1 }).start);
    }
  }
  const boundaryBefore = (place: number): number => {
    // Nothing is kept then.
    if (Math.min(place, from) === text.length) return text.length;
    let boundary = Math.min(place, from);
    for (let last = -1; last !== boundary;) {
      last = boundary;
      boundary = escapeOver(text, boundary);
      for (const reading of readings) boundary = unitBefore(reading, boundary);
    }
    return boundary;
  };
  return { spans, limit, boundaryBefore };
}

/** The last place, at the given one or before it, at which a unit of the reading begins. */
function unitBefore(reading: Reading, place: number): number {
  const { text, certain = 0 } = reading;
  if (place >= certain || text === '') return place;
  const startOf = (unit: number): number => reading.toSource({ start: unit, end: unit + 1 }).start;
  let [low, high] = [0, text.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (startOf(middle) <= place) low = middle;
    else high = middle - 1;
  }
  return Math.min(place, startOf(escapeOver(text, low)));
}
