import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { SimulatedClock } from 'xstate';
import { HoldfastError } from '../../base/errors.ts';
import { createSecretsBroker } from '../broker.ts';
import { encodings } from './encodings.ts';
import { formsOf } from '../fixtures/encoders.ts';
import { createMemoryProvider } from '../fixtures/memory-provider.ts';
import { createScrubber } from './scrubber.ts';

const REDACTED = '<redacted:secret>';
const HOUR = 60 * 60 * 1000;
const canary = 'CANARY-3f9a 7c1e="x';

function knowing(...values: readonly (string | Buffer)[]) {
  let time = 0;
  const scrubber = createScrubber({ now: () => time });
  for (const [n, value] of values.entries()) scrubber.learn(`key-${n}`, 'v1', Buffer.from(value));
  return { scrubber, pass: (ms: number) => (time += ms) };
}

// A value that shares a text with the marker could stand across its border.
const apart = (text: string): boolean =>
  !/[<>redact:s]/.test(text[0] ?? '') && !/[<>redact:s]/.test(text.at(-1) ?? '');
const textValue = fc.string({ unit: 'grapheme', minLength: 8, maxLength: 60 }).filter(apart);
const bytesValue = fc.uint8Array({ minLength: 8, maxLength: 60 }).map((bytes) => Buffer.from(bytes));
const around = fc.string({ unit: 'binary', maxLength: 12 });

const asText: Record<string, (value: string) => string> = {
  itself: (value) => value,
  encodeURIComponent: (value) => encodeURIComponent(value),
  'encodeURIComponent in lower case': (value) =>
    encodeURIComponent(value).replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
  encodeURI: (value) => encodeURI(value),
  'a form': (value) => new URLSearchParams({ value }).toString().slice('value='.length),
  JSON: (value) => JSON.stringify(value).slice(1, -1),
  'JSON in JSON': (value) => JSON.stringify(JSON.stringify(value).slice(1, -1)).slice(1, -1),
};

describe('text', () => {
  test.each(Object.keys(asText))('loses a value as %s, whatever stands around it', (way) => {
    fc.assert(
      fc.property(textValue, around, around, (value, before, after) => {
        const encoded = asText[way]?.(value) ?? '';
        const { scrubber } = knowing(value);
        const scrubbed = scrubber.scrubText(before + encoded + after);
        expect(scrubbed).toContain(REDACTED);
        expect(scrubbed).not.toContain(encoded);
        expect(scrubber.contains(scrubbed)).toBe(false);
      }),
    );
  });

  test.each(['base64', 'base64url', 'hex', 'latin1'] as const)(
    'loses bytes as %s, wherever in what is encoded they begin',
    (encoding) => {
      fc.assert(
        fc.property(bytesValue, bytesValue, bytesValue, around, (value, before, after, text) => {
          const { scrubber } = knowing(value);
          const all = Buffer.concat([before, value, after]).toString(encoding);
          for (const whole of [all, text + all + text, ...(encoding === 'hex' ? [all.toUpperCase()] : [])]) {
            const scrubbed = scrubber.scrubText(whole);
            expect(scrubbed).toContain(REDACTED);
            for (const form of encodings(value)) expect(scrubbed).not.toContain(form.toString('latin1'));
          }
        }),
      );
    },
  );

  test('is what the plain way of looking for each form at each place gives', () => {
    const few = fc.constantFrom('ab', 'ba', 'abab', 'a', 'b', '6162', '!');
    const mixed = fc.array(few, { minLength: 8, maxLength: 12 }).map((parts) => parts.join(''));
    // Of these one often ends within another.
    const value = fc.oneof(
      mixed,
      fc.integer({ min: 4, max: 6 }).map((times) => 'ab'.repeat(times)),
      fc.constant('bbabababa'),
    );
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 5 }),
        fc.array(fc.oneof(few, value), { maxLength: 30 }),
        (values, parts) => {
          const text = parts.join('') + (values[0] ?? '').slice(1) + parts.join('');
          const { scrubber } = knowing(...values);
          expect(scrubber.scrubText(text)).toBe(plainly(text, values));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('without a value in it stays the same', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const { scrubber } = knowing(canary, Buffer.from([0xfe, 0xff, 1, 2, 3, 4, 5, 6, 7, 8]));
        expect(scrubber.scrubText(text)).toBe(text);
      }),
    );
  });

  test('says neither how long a value was nor which of them it was', () => {
    const { scrubber } = knowing('first-secret-value', 'another, and longer, secret value');
    expect(scrubber.scrubText('a first-secret-value b')).toBe(`a ${REDACTED} b`);
    expect(scrubber.scrubText('a another, and longer, secret value b')).toBe(`a ${REDACTED} b`);
  });

  test('loses two values that overlap as one', () => {
    const { scrubber } = knowing('abcdefgh-1234', '1234-ijklmnop');
    expect(scrubber.scrubText('<abcdefgh-1234-ijklmnop>')).toBe(`<${REDACTED}>`);
  });

  test('keeps what is shorter than eight bytes', () => {
    const { scrubber } = knowing('1234567', '12345678');
    expect(scrubber.size).toBe(1);
    expect(scrubber.scrubText('1234567 12345678')).toBe(`1234567 ${REDACTED}`);
  });

  test('loses the rest of itself with the head of a value of more than 1 KiB', () => {
    const long = 'é'.repeat(511) + 'x'.repeat(60_000);
    const { scrubber } = knowing(long);
    expect(scrubber.scrubText(`before ${long} after`)).toBe(`before ${REDACTED}`);
    expect(scrubber.scrubText(Buffer.from(`before ${long}`).toString('base64'))).toMatch(
      /^.{9,11}<redacted:secret>$/,
    );
  });
});

/** One form and one place after the other; two occurrences that only touch are two. */
function plainly(text: string, values: readonly string[]): string {
  const spans: [number, number][] = [];
  for (const form of values.flatMap((value) => encodings(Buffer.from(value)).map(String))) {
    for (let at = text.indexOf(form); at >= 0; at = text.indexOf(form, at + 1))
      spans.push([at, at + form.length]);
  }
  let scrubbed = '';
  let done = 0;
  for (const [start, end] of spans.toSorted(([a], [b]) => a - b)) {
    if (start >= done) {
      scrubbed += text.slice(done, start) + REDACTED;
      done = end;
    } else {
      done = Math.max(done, end);
    }
  }
  return scrubbed + text.slice(done);
}

describe('structured data', () => {
  const { scrubber } = knowing(canary);
  const cyclic: Record<string, unknown> = { text: `a ${canary}` };
  cyclic['self'] = [cyclic, new Map([[canary, cyclic]])];
  const deep: Record<string, unknown> = {};
  let inner = deep;
  for (let level = 0; level < 5000; level += 1) inner = inner['next'] = {} as Record<string, unknown>;
  inner['text'] = canary;

  test.each<[string, unknown]>([
    ['an array', ['x', canary]],
    ['a key', { [canary]: 1 }],
    ['a field with a symbol for its name', { [Symbol.for('x')]: canary }],
    ['the description of a symbol', { x: Symbol(canary) }],
    ['a map', new Map([[{ canary }, [canary]]])],
    ['a set', new Set([canary, 1])],
    ['a buffer', { bytes: Buffer.from(`pad ${canary} pad`) }],
    ['a view into a larger memory', new DataView(Buffer.from(canary).buffer)],
    ['memory', new TextEncoder().encode(canary).buffer],
    ['an error', new RangeError(`bad ${canary}`, { cause: new Error(canary) })],
    ['an aggregate of errors', new AggregateError([new Error(canary)], 'x')],
    ['the fields of an error', Object.assign(new Error('x'), { config: { headers: [canary] } })],
    ['a nesting deeper than the stack', deep],
    ['a cycle', cyclic],
    ['a URL', { url: new URL(`https://x/?key=${encodeURIComponent(canary)}`) }],
    ['search parameters', new URLSearchParams({ key: canary })],
    ['headers', { headers: new Headers({ authorization: `Bearer ${canary}` }) }],
    ['a pattern', { pattern: new RegExp(`x|${canary}`) }],
    ['a string object', { text: Object(canary) as unknown }],
    ['what toJSON tells', { toJSON: () => ({ canary }) }],
    [
      'a class',
      new (class Holder {
        readonly value = canary;
      })(),
    ],
    ['an object without a prototype', Object.assign(Object.create(null) as object, { canary })],
  ])('loses a value in %s', (_, found) => {
    const before = inspect(found, { depth: 9, showHidden: true });
    const scrubbed = scrubber.scrub(found);
    expect(scrubber.contains(found)).toBe(true);
    expect(scrubber.contains(scrubbed)).toBe(false);
    const shown = inspect(scrubbed, { depth: 9, showHidden: true, maxStringLength: null });
    expect(shown).not.toContain(canary);
    expect(shown).not.toContain(Buffer.from(canary).toString('hex'));
    expect(inspect(found, { depth: 9, showHidden: true })).toBe(before);
  });

  test('without a value in it is the same reference', () => {
    fc.assert(
      fc.property(
        fc.anything({ withMap: true, withSet: true, withDate: true, withTypedArray: true }),
        (found) => {
          expect(scrubber.scrub(found)).toBe(found);
          expect(scrubber.contains(found)).toBe(false);
        },
      ),
    );
  });

  test('never makes it throw, and never leaves a value in it', () => {
    const planted = fc.anything({
      withMap: true,
      withSet: true,
      withBoxedValues: true,
      withNullPrototype: true,
      withObjectString: true,
      withSparseArray: true,
      key: fc.oneof(fc.string(), fc.constant(canary), fc.constant('__proto__'), fc.constant('toJSON')),
      values: [fc.constant(canary), fc.string(), fc.integer(), fc.constant(Buffer.from(canary)), fc.bigInt()],
    });
    fc.assert(
      fc.property(planted, (found) => {
        expect(scrubber.contains(scrubber.scrub(found))).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  test.each<[string, unknown]>([
    [
      'a getter that throws',
      {
        get bad() {
          throw new Error('no');
        },
        canary,
      },
    ],
    [
      'a toJSON that throws',
      {
        toJSON() {
          throw new Error('no');
        },
        canary,
      },
    ],
    [
      'a proxy that throws',
      {
        canary,
        proxy: new Proxy(
          {},
          {
            ownKeys() {
              throw new Error('no');
            },
          },
        ),
      },
    ],
    ['a frozen object', Object.freeze({ canary })],
    [
      'a class with private fields',
      new (class A {
        readonly #x = 1;
        readonly canary = canary;
        get x() {
          return this.#x;
        }
      })(),
    ],
    ['an error without a stack', Object.assign(new Error(canary), { stack: undefined })],
    [
      'an error whose name is a getter',
      Object.defineProperty(new Error(canary), 'name', {
        get() {
          throw new Error('no');
        },
      }),
    ],
  ])('survives %s', (_, found) => {
    const scrubbed = scrubber.scrub(found);
    expect(scrubber.contains(scrubbed)).toBe(false);
    expect(inspect(scrubbed, { showProxy: true })).not.toContain(canary);
  });

  test('keeps the class, the code, the cause and the other fields of an error', () => {
    const cause = Object.assign(new TypeError(`of ${canary}`), { status: 403 });
    const error = new HoldfastError('SECRET_DENIED', `no ${canary}`, { cause });
    const scrubbed = scrubber.scrub(error);
    expect(scrubbed).toBeInstanceOf(HoldfastError);
    expect(scrubbed).toMatchObject({
      name: 'HoldfastError',
      code: 'SECRET_DENIED',
      message: `no ${REDACTED}`,
    });
    expect(scrubbed.cause).toBeInstanceOf(TypeError);
    expect(scrubbed.cause).toMatchObject({ message: `of ${REDACTED}`, status: 403 });
    expect(structuredClone(scrubbed.cause)).toBeInstanceOf(TypeError);
    expect(scrubbed.stack).toContain('scrubber.test.ts');
    expect(inspect(scrubbed)).toMatch(/^HoldfastError: no <redacted:secret>/);
    expect(error.message).toBe(`no ${canary}`);
  });

  test('keeps the parts that carry nothing as they are', () => {
    const calm = { a: [1, 2] };
    const scrubbed = scrubber.scrub({ calm, text: canary });
    expect(scrubbed.calm).toBe(calm);
    expect(scrubbed.text).toBe(REDACTED);
  });

  test('names the place of a value, without the value', () => {
    expect(scrubber.find({ context: { orders: [1, { note: `x ${canary}` }] } })).toEqual([
      'context',
      'orders',
      '1',
      'note',
    ]);
    expect(scrubber.find({ children: { [canary]: { x: canary } } })?.join('.')).not.toContain(canary);
    expect(scrubber.find({ context: {} })).toBeUndefined();
  });

  test('a number of eight digits or more is looked at, too', () => {
    const { scrubber } = knowing('1234567890');
    expect(scrubber.scrub({ pin: 1234567890, other: 1234567891n })).toEqual({
      pin: REDACTED,
      other: 1234567891n,
    });
  });
});

describe('what is known', () => {
  const document = JSON.stringify({
    user: 'desk-user-1',
    password: 'pass/word-1',
    port: 5432,
    deep: ['deep-value-1'],
  });

  test('of a document nobody was granted, or the whole of which somebody was, is each of its strings', () => {
    for (const granted of [[], [undefined], ['user', undefined]]) {
      const { scrubber } = knowing(document);
      for (const field of granted) scrubber.cover('key-0', field);
      expect(scrubber.scrubText(`desk-user-1 pass/word-1 deep-value-1 ${document} password`)).toBe(
        `${REDACTED} ${REDACTED} ${REDACTED} ${REDACTED} password`,
      );
    }
  });

  test('of a document whose fields are granted is the whole and those fields, before and after it is learned', () => {
    const { scrubber } = knowing();
    scrubber.cover('key', 'password');
    scrubber.learn('key', 'v1', Buffer.from(document));
    expect(scrubber.scrubText(`desk-user-1 pass/word-1 ${document}`)).toBe(
      `desk-user-1 ${REDACTED} ${REDACTED}`,
    );
    scrubber.cover('key', 'user');
    expect(scrubber.scrubText('desk-user-1 pass/word-1')).toBe(`${REDACTED} ${REDACTED}`);
  });

  test('of a private key is each of its lines', () => {
    const body = [
      'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIB',
      'AQC7VJTUt9Us8cKjMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3S',
    ];
    const pem = `-----BEGIN PRIVATE KEY-----\n${body.join('\n')}\n-----END PRIVATE KEY-----\n`;
    const { scrubber } = knowing(pem);
    expect(scrubber.scrubText(inspect({ pem }, { breakLength: 40 }))).not.toContain(body[1]);
    expect(scrubber.scrubText('-----BEGIN PRIVATE KEY-----')).toBe('-----BEGIN PRIVATE KEY-----');
  });

  test('of a version that is not held any more goes after a day, and not before', () => {
    const { scrubber, pass } = knowing('version-one-1');
    pass(48 * HOUR);
    scrubber.learn('key-0', 'v2', Buffer.from('version-two-2'));
    scrubber.hold('key-0', ['v1', 'v2']);
    pass(48 * HOUR);
    scrubber.hold('key-0', ['v2']);
    pass(24 * HOUR);
    scrubber.hold('key-0', ['v2']);
    expect(scrubber.scrubText('version-one-1 version-two-2')).toBe(`${REDACTED} ${REDACTED}`);
    pass(1);
    scrubber.hold('other', []);
    expect(scrubber.scrubText('version-one-1 version-two-2')).toBe(`version-one-1 ${REDACTED}`);
  });

  test('of a version stays for good when it is held again, learned anew or not', () => {
    const { scrubber, pass } = knowing('version-one-1', 'other-value-1');
    for (const again of [
      () => scrubber.learn('key-0', 'v1', Buffer.from('version-one-1')),
      () => scrubber.hold('key-0', ['v1']),
    ]) {
      scrubber.hold('key-0', []);
      pass(12 * HOUR);
      again();
      pass(48 * HOUR);
      scrubber.hold('key-1', ['v1']);
      expect(scrubber.contains('version-one-1')).toBe(true);
    }
    scrubber.hold('key-0', []);
    scrubber.hold('key-1', []);
    pass(24 * HOUR + 1);
    scrubber.hold('key-1', []);
    expect(scrubber.size).toBe(0);
  });

  test('of one secret is told without a look at the others', () => {
    const { scrubber } = knowing(...Array.from({ length: 1_000 }, (_, n) => `value-number-${n}`));
    const looks = vi.spyOn(Array.prototype, 'filter');
    onTestFinished(() => looks.mockRestore());
    for (let n = 0; n < 1_000; n += 1) scrubber.hold(`key-${n}`, ['v1']);
    expect(looks.mock.calls.length).toBeLessThanOrEqual(2_000);
  });

  test('of one secret is what is held of it and eight old versions', () => {
    const { scrubber } = knowing();
    for (let n = 10; n < 40; n += 1) {
      scrubber.learn('key', `v${n}`, Buffer.from(`rotated-value-${n}`));
      scrubber.hold('key', [`v${n}`]);
    }
    expect(scrubber.size).toBe(9);
    expect(scrubber.contains('rotated-value-30')).toBe(false);
    expect(scrubber.contains('rotated-value-31')).toBe(true);
  });

  test('of a secret that is in use is every version that the cache holds, for as long as it does', async () => {
    const clock = new SimulatedClock();
    const { scrubber, pass } = knowing();
    const provider = createMemoryProvider();
    provider.set('prod/key', 'v1', 'cached-value-1');
    const broker = createSecretsBroker({
      providers: [{ alias: 'default', provider: 'memory', cacheTtlMs: 1e9, options: {} }],
      customProviders: [provider],
      clock,
      scrubber,
    });
    onTestFinished(() => broker.stop());
    const grant = { label: 'key', provider: 'default', id: 'prod/key', mode: 'reveal' } as const;
    const caller = { address: 'a/b', incarnation: 1, pool: 'p' };
    broker.open(caller, [{ ...grant, capabilities: [] }], () => {});
    expect(Buffer.from(await broker.reveal(caller, 'key')).toString()).toBe('cached-value-1');
    const rotate = async (n: number): Promise<void> => {
      provider.set('prod/key', `v${n}`, `cached-value-${n}`);
      clock.increment(10_000);
      await broker.refresh('default', 'prod/key');
    };
    await rotate(2);
    pass(48 * HOUR);
    await rotate(3);
    expect([1, 2, 3].map((n) => scrubber.contains(`cached-value-${n}`))).toEqual([true, true, true]);
    await rotate(4);
    pass(24 * HOUR + 1);
    await rotate(5);
    expect([1, 2, 3, 4, 5].map((n) => scrubber.contains(`cached-value-${n}`))).toEqual([
      false,
      true,
      true,
      true,
      true,
    ]);
    broker.close(caller.address);
    expect(scrubber.contains('cached-value-5')).toBe(true);
  });

  test('is a copy that the bytes it came from can be wiped without', () => {
    const bytes = Buffer.from(canary);
    const { scrubber } = knowing();
    scrubber.learn('key', 'v1', bytes);
    bytes.fill(0);
    expect(scrubber.contains(canary)).toBe(true);
  });

  test('is nothing after it is closed', () => {
    const { scrubber } = knowing(canary);
    scrubber.close();
    scrubber.learn('key', 'v1', Buffer.from(canary));
    expect(scrubber.size).toBe(0);
    expect(scrubber.scrub({ canary })).toEqual({ canary });
  });

  test('is in no heap snapshot of the process that knows it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-scrubber-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const [value, planted] = ['CANARY-in-the-scrubber-91', 'CANARY-in-a-string-of-it-92'];
    writeFileSync(join(folder, 'value'), value);
    writeFileSync(join(folder, 'planted'), planted);
    const script = join(import.meta.dirname, '..', 'fixtures', 'heap-of-a-scrubber.ts');
    execFileSync(process.execPath, ['-C', 'holdfast-source', script, folder], { timeout: 60_000 });
    const heap = readFileSync(join(folder, 'heap'), 'latin1');
    expect(heap).toContain(planted);
    for (const form of formsOf(value)) expect(heap).not.toContain(form);
  });
});
