import type { Span } from './pattern-index.ts';

/** A text as it reads without its escapes, with the way back to places in the given text. */
export interface Reading {
  readonly text: string;
  /** Whether what comes behind the given text may go on with this one. */
  readonly isOpen: boolean;
  /** The span of the given text that a span of this one comes from, with every escape in it complete. */
  toSource(span: Span): Span;
  /** The first unit that begins at `place` of the given text or behind it. */
  unitFrom(place: number): number;
  /** The last place up to `place` from which on the given text reads as the rest of this one. */
  cutBefore(place: number): number;
}

/** A text as it is. */
export function plainReading(text: string): Reading {
  return {
    text,
    isOpen: true,
    toSource: (span) => span,
    unitFrom: (place) => place,
    cutBefore: (place) => place,
  };
}

/** Other units for those of a reading, at the same places. */
export function sameLength(under: Reading, text: string): Reading {
  return {
    text,
    isOpen: under.isOpen,
    toSource: (span) => under.toSource(span),
    unitFrom: (place) => under.unitFrom(place),
    cutBefore: (place) => under.cutBefore(place),
  };
}

/** A part of a reading. */
export function partOf(under: Reading, from: number, to: number): Reading {
  return {
    text: under.text.slice(from, to),
    isOpen: under.isOpen && to === under.text.length,
    toSource: ({ start, end }) => under.toSource({ start: from + start, end: from + end }),
    unitFrom: (place) => Math.min(to, Math.max(from, under.unitFrom(place))) - from,
    cutBefore: (place) => under.cutBefore(place),
  };
}

/** The place of the given text from which a unit of a reading comes. */
export function sourceOf(reading: Reading, unit: number): number {
  return reading.toSource({ start: unit, end: unit + 1 }).start;
}

/**
 * Is told the units of a reading from which on it cannot be read before more of it has come. Where no value is likely to
 * begin there, its text need not be held back, but is needed to read on.
 */
export type Cut = (reading: Reading, unit: number, isLikely?: boolean) => void;
