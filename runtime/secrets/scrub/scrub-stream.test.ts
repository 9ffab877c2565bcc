import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodings } from './encodings.ts';
import { REDACTED } from './redacted-copy.ts';
import { createScrubber, type Scrubber } from './scrubber.ts';

/** More of them: `HOLDFAST_RUNS=20000 npx vitest run runtime/secrets/scrub/scrub-stream.test.ts`. */
const numRuns = Number(process.env['HOLDFAST_RUNS'] ?? 300);

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
  unit: fc.constantFrom('a', 'b', 'A', '/', '+', '-', 'é', '0'),
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
const piece = fc.record({
  which: fc.nat(),
  form: fc.nat(),
  cut: fc.oneof(fc.constant([0, 0] as const), fc.tuple(fc.nat(), fc.nat())),
  beside: fc.oneof(few, fc.string({ maxLength: 12 }), fc.constant('')),
});
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 });

describe('a stream of bytes', () => {
  test('loses what the whole would lose, wherever it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 3 }),
        fc.array(piece, { maxLength: 12 }),
        sizes,
        (values, pieces, cuts) => {
          const parts = pieces.flatMap(({ which, form, cut: [from, to], beside }) => {
            const forms = encodings(Buffer.from(values[which % values.length] ?? ''));
            const one = forms[form % forms.length] ?? Buffer.alloc(0);
            return [Buffer.from(beside), one.subarray(from % one.length, one.length - (to % one.length))];
          });
          const whole = Buffer.concat(parts);
          fc.pre(!/[\\%&'"\n]|,  /.test(whole.toString('latin1')) && !values.join('').includes(' '));
          const scrubber = knowing(...values);
          expect(streamed(scrubber, cut(whole, cuts))).toBe(scrubber.scrubText(whole.toString('latin1')));
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

test('a stream of text loses a value that is said in many chunks', () => {
  const secret = 'schlüssel-🔑-0123456789';
  const stream = knowing(secret).textStream();
  const out = ['it is ', ...secret.split(''), ', so'].map((chunk) => stream.push(chunk));
  expect(out.join('') + stream.end()).toBe(`it is ${REDACTED}, so`);
  expect(stream.push('nothing')).toBe('nothing');
});
