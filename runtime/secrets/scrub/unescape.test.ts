import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { escapers, packers, type Encoder } from '../fixtures/encoders.ts';
import { REDACTED } from './redacted-copy.ts';
import { carriesValue } from '../capabilities/leak-guard.ts';
import { createScrubber } from './scrubber.ts';

const [before, after] = ['{ "n": 1, "echo": "', '", "more": null }'];

/** Of a key of AWS, of a password, of a phrase in any language. */
const value = fc
  .oneof(
    fc
      .array(fc.constantFrom(...Array.from('abcXYZ019+/=_-')), { minLength: 8, maxLength: 48 })
      .map((parts) => parts.join('')),
    fc.string({ unit: 'grapheme-ascii', minLength: 8, maxLength: 40 }),
    fc
      .array(fc.constantFrom(...Array.from('aé漢🔑+/<&\'"% \\2b')), { minLength: 8, maxLength: 12 })
      .map((parts) => parts.join('')),
  )
  // A text around it may have the same at its border.
  .filter((text) => /^[^\s":]/.test(text) && /[^\s":]$/.test(text));

function knowing(secret: string, inPacked: boolean) {
  const scrubber = createScrubber({ now: () => 0 }, { inPacked });
  scrubber.learn('key', 'v1', Buffer.from(secret));
  return scrubber;
}

/** Some functions leave out what their readers would need: what those cannot read is of no use to anybody. */
function encodedBy(encoders: readonly Encoder[], secret: string): string {
  let [encoded, decoded] = [secret, ''];
  try {
    for (const { encode } of encoders) encoded = encode(encoded);
    decoded = encoders.reduceRight((text, { decode }) => decode(text), encoded);
  } catch {
    // It stays undecoded.
  }
  fc.pre(decoded === secret);
  return encoded;
}

/** What is left of the text where a value stood encoded by all of `encoders`, the first one first. */
function leftOf(secret: string, encoders: readonly Encoder[], inPacked: boolean, asBytes: boolean): string {
  const encoded = encodedBy(encoders, secret);
  const text = before + encoded + after;
  const given = asBytes ? Buffer.from(text).toString('latin1') : text;
  const scrubber = knowing(secret, inPacked);
  const shown = scrubber.scrubText(given);
  expect(scrubber.contains(given)).toBe(true);
  expect(scrubber.contains(shown)).toBe(false);
  expect(carriesValue({ given }, Buffer.from(secret))).toBe(true);
  expect(shown.startsWith(before) && shown.endsWith(after)).toBe(true);
  return shown.slice(before.length, -after.length);
}

/** Of each of more than a thousand ways. */
const few = { numRuns: process.env['HOLDFAST_RUNS'] === undefined ? 6 : 60 };
const [escaped, packed] = [Object.entries(escapers), Object.entries(packers)];
const all = [...escaped, ...packed];
const pairs = (outer: readonly [string, Encoder][]): [string, string, Encoder[]][] =>
  outer.flatMap(([name, encoder]) =>
    all.map(([inner, first]): [string, string, Encoder[]] => [inner, name, [first, encoder]]),
  );

describe('a value is taken out', () => {
  test.each(all)('of %s, and nothing else is', (_name, encoder) => {
    fc.assert(
      fc.property(value, fc.boolean(), (secret, asBytes) => {
        const left = leftOf(secret, [encoder], false, asBytes);
        // The last digit of base64 may say a bit of what follows, and a typed array begins with a number of its own.
        expect(left.replace(REDACTED, '').replace(/^"0":/, '')).toMatch(/^[^<]{0,3}$/);
      }),
      few,
    );
  });

  test.each(pairs(escaped))('of %s in %s', (_inner, _outer, encoders) => {
    fc.assert(
      fc.property(value, fc.boolean(), (secret, asBytes) => {
        expect(leftOf(secret, encoders, false, asBytes).replace(REDACTED, '').length).toBeLessThan(32);
      }),
      few,
    );
  });

  // Of a typed array as JSON has it Node prints less than a value.
  const readable = pairs(packed).filter(
    ([inner, outer]) => !(inner.startsWith('a typed array') && outer === 'a buffer as Node prints it'),
  );
  test.each(readable)('of %s in %s, where it is looked for in what is packed', (_inner, _outer, encoders) => {
    fc.assert(
      fc.property(value, (secret) => {
        expect(leftOf(secret, encoders, true, false)).toContain(REDACTED);
      }),
      few,
    );
  });
});

test.each([
  ['a word', 'pre 115,107,45,', ',9 was it'],
  ['a number that is no byte', '300, 512: ', ' 4711'],
])('%s beside a list of bytes costs none of it', (_beside, before, after) => {
  const secret = 'a+b/c=d&e f';
  const list = [...Buffer.from(encodeURIComponent(secret))].join(', ');
  expect(knowing(secret, true).scrubText(before + list + after)).toBe(before + REDACTED + after);
});

test('a text that Node shows in several lines is found as one', () => {
  const secret = 'first line of it\nand, with a quote: "x", the second line\nthe end';
  const shown = inspect({ deep: { in: [{ it: `${secret} of it` }] } }, { breakLength: 40, depth: 9 });
  expect(shown).toMatch(/' \+\n/);
  expect(knowing(secret, false).scrubText(shown)).toContain(`'${REDACTED} of it'`);
});
