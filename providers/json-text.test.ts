import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { memberSpan, rootSpan, textAt, withValueAt, type JsonSpan } from './json-text.ts';
import { isPointer, spanAtPointer } from './json-pointer.ts';

const bytesOf = (text: string): Buffer => Buffer.from(text);
const written = (bytes: Uint8Array, span: JsonSpan | undefined): string | undefined =>
  span && Buffer.from(bytes.subarray(span.start, span.end)).toString();
const at = (text: string, pointer: string): string | undefined =>
  written(bytesOf(text), spanAtPointer(bytesOf(text), pointer));

/** Any JSON as people and programs write it: spaces anywhere, names twice, escapes, numbers that no program can hold. */
const space = fc.stringMatching(/^[ \t\n\r]{0,3}$/);
const escaped = fc
  .string({ unit: 'binary', maxLength: 6 })
  .map((text) =>
    JSON.stringify(text).replaceAll(/[a-z]/g, (letter) => (letter === 'a' ? String.raw`\u0061` : letter)),
  )
  // A letter of an escape is none of the text.
  .filter((text) => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  });
const name = fc.oneof(escaped, fc.constantFrom('"a"', '"a.b"', '"b"', '"__proto__"', '"a/b"', '""'));
const number = fc.constantFrom(
  '12345678901234567890',
  '1.10',
  '-0',
  '1e400',
  '-1001234567890123456789',
  '0E-0',
);
const json = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.oneof(escaped, number, fc.constantFrom('true', 'false', 'null')),
    tie('object'),
    tie('array'),
  ),
  object: fc
    .tuple(fc.array(fc.tuple(space, name, space, space, tie('value'), space), { maxLength: 4 }), space)
    .map(([members, inner]) =>
      members.length === 0
        ? `{${inner}}`
        : `{${members.map(([a, key, b, c, value, d]) => `${a}${key}${b}:${c}${value}${d}`).join(',')}}`,
    ),
  array: fc
    .tuple(fc.array(fc.tuple(space, tie('value'), space), { maxLength: 4 }), space)
    .map(([items, inner]) =>
      items.length === 0 ? `[${inner}]` : `[${items.map((parts) => parts.join('')).join(',')}]`,
    ),
}));
const document = fc
  .tuple(fc.constantFrom('', '\uFEFF'), space, json.value, space)
  .map((parts) => parts.join(''));

/** All pointers into a value. */
function pointers(value: unknown, way = '', found: string[] = []): string[] {
  for (const [key, one] of typeof value === 'object' && value !== null ? Object.entries(value) : []) {
    const here = `${way}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    found.push(here);
    pointers(one, here, found);
  }
  return found;
}

const valueAt = (value: unknown, pointer: string): unknown =>
  pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>((found, token) => (found as Record<string, unknown>)[token], value);

describe('any JSON', () => {
  test('has each value where JSON.parse finds it, and what stands there is that value', () => {
    fc.assert(
      fc.property(document, (text) => {
        const parsed: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
        const bytes = bytesOf(text);
        expect(JSON.parse(written(bytes, rootSpan(bytes)) ?? '')).toEqual(parsed);
        for (const pointer of pointers(parsed)) {
          expect(JSON.parse(at(text, pointer) ?? 'nothing')).toEqual(valueAt(parsed, pointer));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('gets another value in the place of one, and every other byte stays', () => {
    fc.assert(
      fc.property(document, fc.string({ unit: 'grapheme' }), fc.nat(), (text, given, nth) => {
        const parsed: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
        const all = pointers(parsed);
        const pointer = all[nth % Math.max(1, all.length)];
        fc.pre(pointer !== undefined);
        const bytes = bytesOf(text);
        const span = spanAtPointer(bytes, pointer) as JsonSpan;
        const before = valueAt(parsed, pointer);
        const isComposed = typeof before === 'object' && before !== null;
        const changed = withValueAt(bytes, span, isComposed ? `[${JSON.stringify(given)}, 1e400]` : given);
        const rest = bytes.length - span.end;
        expect(changed?.subarray(0, span.start)).toEqual(bytes.subarray(0, span.start));
        expect(changed?.subarray(changed.length - rest)).toEqual(bytes.subarray(span.end));
        const value = changed?.subarray(span.start, changed.length - rest).toString() ?? '';
        const now: unknown = JSON.parse(value);
        const expected = isComposed ? `[${JSON.stringify(given)}, 1e400]` : given;
        expect(typeof now === 'string' ? now : value).toBe(expected);
        expect(() => JSON.parse(changed?.toString().replace(/^\uFEFF/, '') ?? '')).not.toThrow();
      }),
      { numRuns: 2_000 },
    );
  });
});

test('what is no JSON has no value', () => {
  for (const text of ['', ' ', '{', '{a:1}', "{'a':1}", '[1,]', '01', '1 2', 'NaN', '"\n"'])
    expect(rootSpan(bytesOf(text))).toBeUndefined();
});

test('bytes that are no UTF-8 stay as they are beside a value that is replaced', () => {
  const bytes = Buffer.concat([bytesOf('{"a":"'), Buffer.from([0xff, 0xc3]), bytesOf('","b":"old"}')]);
  const span = spanAtPointer(bytes, '/b') as JsonSpan;
  expect(withValueAt(bytes, span, 'new')).toEqual(
    Buffer.concat([bytesOf('{"a":"'), Buffer.from([0xff, 0xc3]), bytesOf('","b":"new"}')]),
  );
});

test('of a name that is written twice it is the last, which is the one that programs read', () => {
  expect(at('{"a":1,"b":2,"a":3}', '/a')).toBe('3');
  expect(at(String.raw`{"a":1,"\u0061":{"b":2}}`, '/a/b')).toBe('2');
});

test('a byte order mark is one at the start of the text alone', () => {
  expect(at('\uFEFF{"\uFEFFa":"\uFEFFb"}', '/\uFEFFa')).toBe('"\uFEFFb"');
  expect(at('{"\uFEFFa":1}', '/a')).toBeUndefined();
  expect(rootSpan(bytesOf('\uFEFF\uFEFF{}'))).toBeUndefined();
});

test('an array has its elements and nothing else', () => {
  for (const wrong of ['/length', '/01', '/-1', '/3', '/', '/1/0'])
    expect(at('["a","b","c"]', wrong)).toBeUndefined();
  expect(at('["a","b","c"]', '/2')).toBe('"c"');
});

test('of null there is no text; of a number there are its digits', () => {
  const text = (json: string): string | undefined => {
    const bytes = bytesOf(json);
    const found = textAt(bytes, rootSpan(bytes) as JsonSpan);
    return found && Buffer.from(found).toString();
  };
  expect(text('null')).toBeUndefined();
  expect(text(' -1001234567890123456789 ')).toBe('-1001234567890123456789');
  expect(text('1.10')).toBe('1.10');
  expect(text('[1e400, {"a": 1.0}]')).toBe('[1e400, {"a": 1.0}]');
  expect(text(String.raw`"g\u00fc\n"`)).toBe('gü\n');
});

test.each([
  ['"old"', '5432', '"5432"'],
  ['null', 'new', '"new"'],
  ['5432', '12345678901234567890', '12345678901234567890'],
  ['5432', '0042', '"0042"'],
  ['5432', ' 1', '" 1"'],
  ['5432', 'abc', '"abc"'],
  ['true', 'false', 'false'],
  ['true', 'null', '"null"'],
  ['{"a":1}', ' {"b": 1.10} ', '{"b": 1.10}'],
  ['[1]', '{"b":1}', '{"b":1}'],
  ['{"a":1}', 'a text', undefined],
  ['{"a":1}', '7', undefined],
])('in the place of %s the text %j is %s', (before, given, after) => {
  const bytes = bytesOf(`{ "k" : ${before} }`);
  const span = memberSpan(bytes, rootSpan(bytes) as JsonSpan, 'k') as JsonSpan;
  expect(withValueAt(bytes, span, given)?.toString()).toBe(after && `{ "k" : ${after} }`);
});

test('a deep document is looked into without a stack', () => {
  const depth = 20_000;
  const bytes = bytesOf(`{"deep":${'['.repeat(depth)}${']'.repeat(depth)},"k":"v"}`);
  expect(written(bytes, spanAtPointer(bytes, '/k'))).toBe('"v"');
});

test.each([
  ['/a', true],
  ['/', true],
  ['/a~0b/~1', true],
  ['a', false],
  ['/a~2', false],
  ['', false],
])('%j is a pointer: %s', (text, is) => {
  expect(isPointer(text)).toBe(is);
});
