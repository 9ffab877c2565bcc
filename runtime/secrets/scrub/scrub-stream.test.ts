import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodings } from './encodings.ts';
import { REDACTED } from './redacted-copy.ts';
import { createScrubber, type Scrubber } from './scrubber.ts';
import { escapers, packers, type Encoder } from '../fixtures/encoders.ts';

/** More of them: `HOLDFAST_RUNS=20000 npx vitest run runtime/secrets/scrub/scrub-stream.test.ts`. */
const numRuns = Number(process.env['HOLDFAST_RUNS'] ?? 100);

function knowing(...values: readonly string[]): Scrubber {
  const scrubber = createScrubber({ now: () => 0 }, { head: 16_384 });
  for (const [n, value] of values.entries()) scrubber.learn('key', `v${n}`, Buffer.from(value));
  return scrubber;
}

/** Cuts of those sizes, one after the other, and then of the last again and again. */
function cut(whole: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0, n = 0; at < whole.length; n += 1) {
    const size = sizes[Math.min(n, sizes.length - 1)] ?? 1;
    chunks.push(whole.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

function streamed(scrubber: Scrubber, chunks: readonly Uint8Array[]): string {
  const stream = scrubber.stream();
  const out = chunks.map((chunk) => Buffer.from(stream.push(chunk)));
  return Buffer.concat([...out, stream.end()]).toString('latin1');
}

// Of these, values and their forms often end within each other.
const few = fc.string({
  unit: fc.constantFrom('a', 'b', 'A', '/', '+', '"', "'", '\\', '%', '&', ' ', '\n', 'é', '🔑', '0', '7'),
  minLength: 8,
  maxLength: 24,
});
const value = fc.oneof(
  few,
  fc.string({ minLength: 8, maxLength: 40 }),
  fc.string({ unit: 'grapheme', minLength: 8, maxLength: 20 }),
  fc
    .tuple(fc.constantFrom('a', 'ab', 'aab'), fc.integer({ min: 8, max: 60 }), fc.constantFrom('', 'b', 'c'))
    .map(([unit, times, last]) => unit.repeat(times) + last),
);
const encoders = [...Object.values(escapers), ...Object.values(packers)];
const forms = fc.oneof(
  fc.nat().map((nth) => (one: string): Buffer => {
    const all = encodings(Buffer.from(one));
    return all[nth % all.length] as Buffer;
  }),
  fc
    .array(fc.constantFrom(...encoders), { minLength: 1, maxLength: 2 })
    // Digits before the first number of a list would be part of it.
    .map(
      (by) =>
        (one: string): Buffer =>
          Buffer.from(`.${encodedBy(by, one)}`),
    ),
);
const piece = fc.record({
  which: fc.nat(),
  form: forms,
  cut: fc.oneof(fc.constant([0, 0] as const), fc.tuple(fc.nat(), fc.nat())),
  beside: fc.oneof(
    few,
    fc.string({ maxLength: 12 }),
    fc.constant(''),
    fc.string({ unit: fc.constantFrom(...'\\%&#;\'"u0x27,: \n+{}1'.split('')), maxLength: 8 }),
    fc.constantFrom('\n\n', 'data: {"text":"a \\"word\\", \\n and more"}\n\n', 'hello_world-of/words '),
  ),
});
const size = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 40 }) },
  fc.integer({ min: 500, max: 1500 }),
);
const sizes = fc.array(size, { minLength: 1, maxLength: 60 });

/** Some encoders cannot write everything. */
function encodedBy(by: readonly Encoder[], text: string): string {
  try {
    return by.reduce((encoded, { encode }) => encode(encoded), text);
  } catch {
    return text;
  }
}

describe('a stream of bytes', () => {
  test('loses what the whole would lose, wherever it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 3 }),
        fc.array(piece, { maxLength: 8 }),
        sizes,
        (values, pieces, cuts) => {
          const parts = pieces.flatMap(({ which, form, cut: [from, to], beside }) => {
            const one = form(values[which % values.length] ?? '');
            const start = one[0] === 0x2e ? 1 : 0;
            const kept = one.subarray(start + (from % (one.length - start)), one.length - (to % one.length));
            return [Buffer.from(beside), one.subarray(0, start), kept];
          });
          const whole = Buffer.concat(parts);
          const scrubber = knowing(...values);
          const wanted = scrubber.scrubText(whole.toString('latin1'));
          expect(streamed(scrubber, cut(whole, cuts))).toBe(wanted);
        },
      ),
      { numRuns },
    );
  });

  const key = 'sk-proj-4bC3dE2fG1hI0jK9lM8nO7pQ';

  test('gives a chunk on as it is, without a copy, when no value can begin in it', () => {
    const stream = knowing(key).stream();
    const frames = [1, 2, 3].map((n) => Buffer.from(`data: {"delta":"word ${n}"}\n\n`));
    for (const frame of frames) expect(stream.push(frame)).toBe(frame);
    expect(stream.held).toBe(0);
  });

  test('holds back no more than what may be the beginning of a value', () => {
    const stream = knowing(key).stream();
    expect(Buffer.from(stream.push(Buffer.from('all but sk-pro'))).toString()).toBe('all but ');
    expect(stream.held).toBe(6);
    expect(Buffer.from(stream.push(Buffer.from('duct.'))).toString()).toBe('sk-product.');
    expect(stream.push(Buffer.from(key.slice(0, -1))).byteLength).toBe(0);
    expect(Buffer.from(stream.end()).toString()).toBe(key.slice(0, -1));
  });

  test('tells of a value as soon as it is whole, although a longer one may begin so', () => {
    const stream = knowing(key, `${key}-and-more`).stream();
    expect(Buffer.from(stream.push(Buffer.from(`the ${key}`))).toString()).toBe(`the ${REDACTED}`);
    expect(Buffer.from(stream.push(Buffer.from('-and-more, and'))).toString()).toBe(', and');
  });

  test('loses, of a version that is learned in its middle, what comes from then on', () => {
    const scrubber = knowing(key);
    const stream = scrubber.stream();
    const next = 'sk-proj-another-9876543210';
    expect(Buffer.from(stream.push(Buffer.from(`${next} `))).toString()).toBe(`${next} `);
    scrubber.learn('key', 'v9', Buffer.from(next));
    expect(Buffer.from(stream.push(Buffer.from(`${next} ${key}`))).toString()).toBe(
      `${REDACTED} ${REDACTED}`,
    );
  });

  test.each([
    ['JSON of Go', /\\u003c/],
    ['JSON of .NET', /\\u002B/],
    ['HTML of PHP', /&lt;/],
  ])('loses %s between its escapes and in them', (name, escaped) => {
    const secret = 'AbC+dEf/ghI&jkL<12>xy';
    const form = escapers[name]?.encode(secret) ?? '';
    expect(form).toMatch(escaped);
    for (const size of [1, 2, 3, 5, 8])
      expect(streamed(knowing(secret), cut(Buffer.from(`{"echo":"${form}"}\n\n`), [size]))).toBe(
        `{"echo":"${REDACTED}"}\n\n`,
      );
  });

  test('holds back a part of an escape, and of a text that only looks like a value not more than is kept of one', () => {
    const stream = knowing(key).stream();
    expect(Buffer.from(stream.push(Buffer.from('a: \\u00'))).toString()).toBe('a: ');
    expect(Buffer.from(stream.push(Buffer.from('e9"}\n\n'))).toString()).toBe('\\u00e9"}\n\n');
    const spaces = Buffer.alloc(2_000_000, ' ');
    stream.push(Buffer.from('115,'));
    for (let n = 0; n < 3; n += 1) stream.push(spaces);
    expect(stream.held).toBeLessThan(20_000);
  });

  test('takes no longer for a value that repeats itself', () => {
    const stream = knowing(`${'a'.repeat(8191)}b`).stream();
    const text = Buffer.alloc(65_536, 'a');
    let out = 0;
    for (const chunk of cut(text, [100])) out += stream.push(chunk).byteLength;
    expect(out + stream.end().byteLength).toBe(text.length);
  });

  test('ends with the head of a value that is too long to be searched for as a whole', () => {
    const long = `${key}${'x'.repeat(20_000)}`;
    const chunks = cut(Buffer.from(`before ${long} after`), [5000]);
    expect(streamed(knowing(long), chunks)).toBe(`before ${REDACTED}`);
    const whole = `${key}${'xy'.repeat(8000)}`;
    expect(streamed(knowing(whole), cut(Buffer.from(`before ${whole} after`), [5000]))).toBe(
      `before ${REDACTED} after`,
    );
  });
});

describe('a stream of answers', () => {
  const key = 'sk-proj-4bC3dE2fG1hI0jK9lM8nO7pQ';

  test('holds nothing back of whole frames, with escapes or without', () => {
    const stream = knowing(key).stream();
    const frames = [
      'data: {"id":"chatcmpl-9xYz0AbCdEf","delta":{"content":"he said \\"so\\",\\n\\u00e9 "},"index":0}\n\n',
      'event: delta\ndata: {"partial_json":"{\\"a\\": \\"b\\\\n\\"}"}\n\n',
      `data: {"image":"${Buffer.alloc(300, 'an image').toString('base64')}"}\n\n`,
      'data: [DONE]\n\n',
      'a word',
      ' of text',
    ];
    for (const frame of frames) {
      expect(Buffer.from(stream.push(Buffer.from(frame))).toString()).toBe(frame);
      expect(stream.held).toBe(0);
    }
  });

  test('ends where what may be the beginning of a value goes on for longer than any form', () => {
    const long = Array.from({ length: 40 }, (_, n) => `part-${n}.`).join('');
    const stream = knowing(long).stream();
    const longest = Array.from(
      long.slice(0, -1),
      (one) => `\\u{${'%2530'.repeat(100)}${one.charCodeAt(0).toString(16)}}`,
    );
    let out = '';
    for (const chunk of ['a ', ...longest, ' b'])
      out += Buffer.from(stream.push(Buffer.from(chunk))).toString();
    expect(out).toBe(`a ${REDACTED}`);
    expect(stream.held).toBe(0);
  });
});

test('a stream of text loses a value that is said in many chunks', () => {
  const secret = 'schlüssel-🔑-0123456789';
  const stream = knowing(secret).textStream();
  const out = ['it is ', ...secret.split(''), ', so'].map((chunk) => stream.push(chunk));
  expect(out.join('') + stream.end()).toBe(`it is ${REDACTED}, so`);
  expect(stream.push('nothing')).toBe('nothing');
});
