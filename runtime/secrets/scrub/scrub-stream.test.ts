import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { escapers, packers } from '../fixtures/encoders.ts';
import { encodings } from './encodings.ts';
import { REDACTED } from './redacted-copy.ts';
import { createScrubber, type Scrubber } from './scrubber.ts';

/** More of them: `HOLDFAST_RUNS=20000 npx vitest run runtime/secrets/scrub/scrub-stream.test.ts`. */
const numRuns = Number(process.env['HOLDFAST_RUNS'] ?? 150);

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
  fc.nat().map((number) => (secret: string): Buffer => {
    const all = encodings(Buffer.from(secret));
    return all[number % all.length] ?? Buffer.alloc(0);
  }),
  fc.array(fc.constantFrom(...encoders), { maxLength: 2 }).map((layers) => (secret: string): Buffer => {
    try {
      return Buffer.from(layers.reduce((text, { encode }) => encode(text), secret));
    } catch {
      return Buffer.from(secret);
    }
  }),
);
const piece = fc.record({
  which: fc.nat(),
  form: forms,
  cut: fc.oneof({ weight: 3, arbitrary: fc.constant([0, 0]) }, fc.tuple(fc.nat(), fc.nat())),
  beside: fc.oneof(few, fc.string({ maxLength: 12 }), fc.constantFrom('', '\n', '","', '\\', '%', "'")),
});
const size = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 40 }) },
  fc.integer({ min: 500, max: 1500 }),
);
const sizes = fc.array(size, { minLength: 1, maxLength: 60 });
const text = fc
  .tuple(fc.array(value, { minLength: 1, maxLength: 3 }), fc.array(piece, { maxLength: 8 }))
  .map(([values, pieces]) => {
    let whole = Buffer.alloc(0);
    for (const {
      which,
      form,
      cut: [from = 0, to = 0],
      beside,
    } of pieces) {
      const one = form(values[which % values.length] ?? '');
      const part = one.subarray(from % one.length, one.length - (to % one.length));
      whole = Buffer.concat([whole, Buffer.from(beside)]);
      // A digit before a list of bytes may look like a part of it, if it is still there.
      const isGlued = /[\da-f\\]$/i.test(whole.toString('latin1'));
      whole = Buffer.concat([whole, Buffer.from(isGlued ? '~' : ''), part]);
    }
    // With these a text is searched for all that a stream is searched for in any case.
    return { values, whole: Buffer.concat([whole, Buffer.from('~,\n%+~')]) };
  });

/**
 * The same, but for a character or two beside a value: which quotes are a pair depends on where a reading begins. Of a
 * long text with many escapes a stream may find more, because there is an end to the readings of one text.
 */
function isWithin(got: string, wanted: string): boolean {
  let at = 0;
  for (const part of got.split(REDACTED)) {
    at = wanted.indexOf(part, at);
    if (at < 0) return false;
    at += part.length;
  }
  return wanted.length > 600 || wanted.length - got.length <= 2;
}

describe('a stream of bytes', () => {
  test('loses what the whole would lose, wherever it is cut', () => {
    fc.assert(
      fc.property(text, sizes, ({ values, whole }, cuts) => {
        // A blank line ends a list of bytes in a stream.
        fc.pre(!whole.includes('\n\n'));
        const scrubber = knowing(...values);
        const got = streamed(scrubber, cut(whole, cuts));
        const wanted = scrubber.scrubText(whole.toString('latin1'));
        expect(isWithin(got, wanted) ? wanted : got).toBe(wanted);
      }),
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
    expect(Buffer.from(stream.push(Buffer.from('"\\u00'))).toString()).toBe('"');
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

describe('a stream of text', () => {
  test('loses what the whole would lose, wherever it is cut', () => {
    fc.assert(
      fc.property(text, sizes, ({ values, whole: bytes }, cuts) => {
        fc.pre(!bytes.includes('\n\n'));
        const whole = bytes.toString();
        const scrubber = knowing(...values);
        const stream = scrubber.textStream();
        let [got, at] = ['', 0];
        for (const size of [...cuts, whole.length]) {
          got += stream.push(whole.slice(at, at + size));
          at += size;
        }
        got += stream.end();
        const wanted = scrubber.scrubText(whole);
        expect(isWithin(got, wanted) ? wanted : got).toBe(wanted);
      }),
      { numRuns: numRuns / 2 },
    );
  });

  test('loses a value that is said in many chunks', () => {
    const secret = 'schlüssel-🔑-0123456789';
    const stream = knowing(secret).textStream();
    const out = ['it is ', ...secret.split(''), ', so'].map((chunk) => stream.push(chunk));
    expect(out.join('') + stream.end()).toBe(`it is ${REDACTED}, so`);
    expect(stream.push('nothing')).toBe('nothing');
  });
});
