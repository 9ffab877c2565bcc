import { z } from 'zod';
import { LONGEST_TIMER_MS } from '../base/clock.ts';

// The message of each building block completes "expected …", so that a report can say what to write.

// What has no key of its own is made once: the start of every program makes all of them.

/** One schema for each list of arguments. */
function madeOnce<A extends unknown[], T>(make: (...args: A) => T): (...args: A) => T {
  const made = new Map<string, T>();
  return (...args) => {
    const key = args.join();
    const known = made.get(key) ?? make(...args);
    made.set(key, known);
    return known;
  };
}

/**
 * What a key is for, as the JSON Schema has it: `.register(...meaning('…'))`. As `describe`, without the copy of the schema
 * that this makes, so not for the schemas of this file, which stand in several places.
 */
export function meaning(description: string) {
  return [z.globalRegistry, { description }] as const;
}

/** A whole number of at least `min`. */
export const integer = madeOnce((min: number, max?: number) => {
  const expected = max === undefined ? `an integer >= ${min}` : `an integer from ${min} to ${max}`;
  return z.int(expected).check(z.gte(min, expected), z.lte(max ?? Number.MAX_SAFE_INTEGER, expected));
});

/** A time span in whole milliseconds, at least `min` and no longer than a Node timer can wait. */
export function timeSpan(min: 0 | 1) {
  return integer(min, LONGEST_TIMER_MS);
}

/** A number of at least `min`, fractions allowed. */
export const numeric = madeOnce((min: number, max?: number) => {
  const expected = max === undefined ? `a number >= ${min}` : `a number from ${min} to ${max}`;
  return z.number(expected).check(z.gte(min, expected), z.lte(max ?? Number.MAX_VALUE, expected));
});

/** A number of MiB greater than 0. */
export const megabytes = madeOnce(() => {
  const expected = 'a number of MiB > 0';
  return z.number(expected).gt(0, expected);
});

/** A string with at least one character. */
export const text = madeOnce(() => {
  const expected = 'a non-empty string';
  return z.string(expected).min(1, expected);
});

/** Any string, the empty one too. */
export const anyText = madeOnce(() => z.string('a string'));

/** `true` or `false`. */
export const flag = madeOnce(() => z.boolean('true or false'));

/** A map whose keys are names the user chooses; a name has at least one character. */
export function namedMap<T extends z.ZodType>(value: T) {
  return z.record(text(), value);
}

/** A text of a form; `expected` completes "expected …". */
export function formed(form: RegExp, expected: string) {
  return z.string(expected).regex(form, expected);
}

/** How many of something may begin in a second, minute or hour. */
export function rate() {
  return formed(/^[1-9]\d{0,4}\/[smh]$/, 'a rate such as "50/s", "100/m" or "1000/h"');
}
