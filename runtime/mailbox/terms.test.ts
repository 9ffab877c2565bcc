import { expect, test } from 'vitest';
import { deadlineOf, depthOf, MAX_DEPTH, streamsOf, termsOf } from './terms.ts';

const now = 1_900_000_000_000;

test.each([
  [now + 0.5, now + 1],
  [0, 0],
  [now + 2 ** 31, now + 2 ** 31],
  [Infinity, Infinity],
  // What callers write who mean no limit.
  [now + Number.MAX_SAFE_INTEGER, Infinity],
  [Number.MAX_VALUE, Infinity],
  // What is over is over.
  [now - 1e300, 0],
  [-Infinity, 0],
])('the terms of an envelope with the deadline %d keep all of them', (deadline, kept) => {
  for (const streams of [false, true]) {
    const terms = termsOf(deadline, MAX_DEPTH, streams);
    expect([deadlineOf(terms), depthOf(terms), streamsOf(terms)]).toEqual([kept, MAX_DEPTH, streams]);
  }
});
