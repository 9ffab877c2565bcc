import { describe, expect, test } from 'vitest';
import { parseDocument } from './document.ts';
import { Lines } from './excerpt.ts';

/** The text that a path is located at. */
function at(text: string, path: readonly (string | number)[], what: 'key' | 'value'): string {
  const { start, end } = parseDocument(text).locate(path, what);
  return text.slice(start, end);
}

describe('a JSON5 text', () => {
  test.each([
    ['{}', {}],
    ['[1, [2,], {"a": null},]', [1, [2], { a: null }]],
    [`{a: 'x', $b_1: "y\\\n z", 'c d': true, ünï: .5}`, { a: 'x', $b_1: 'y z', 'c d': true, ünï: 0.5 }],
    [`["y\\\r\n z", 1]`, ['y z', 1]],
    ['[0x1F, +1, -1.5e3, Infinity, -Infinity, +Infinity]', [31, 1, -1500, Infinity, -Infinity, Infinity]],
    ['/* a */ "x" // b', 'x'],
    ['[NaN]', [NaN]],
    ['{toString: 1, hasOwnProperty: 2}', { toString: 1, hasOwnProperty: 2 }],
  ])('%j has the value %o', (text, value) => {
    const document = parseDocument(text);
    expect(document.findings).toEqual([]);
    expect(document.value).toEqual(value);
  });

  test('knows where each key and value stands', () => {
    const text = '// first\n{ agents: { "a b": { list: [10, {x: 20}] } } }';
    expect(at(text, [], 'value')).toBe(text.slice(9));
    expect(at(text, ['agents', 'a b'], 'key')).toBe('"a b"');
    expect(at(text, ['agents', 'a b', 'list', 0], 'value')).toBe('10');
    expect(at(text, ['agents', 'a b', 'list', 0], 'key')).toBe('10');
    expect(at(text, ['agents', 'a b', 'list', 1, 'x'], 'value')).toBe('20');
  });

  test('knows where the parent of a missing key stands', () => {
    const text = '{agents: {a: {}}}';
    expect(at(text, ['agents', 'a', 'threadId'], 'value')).toBe('a');
    expect(at(text, ['threads', 'p', 'env'], 'key')).toBe(text);
  });

  test('does not mistake a key for a path', () => {
    const text = '{"a.b": 1, a: {b: 2}, "[\\"a\\"]": 3}';
    expect(at(text, ['a', 'b'], 'value')).toBe('2');
    expect(at(text, ['a.b'], 'value')).toBe('1');
    expect(at(text, ['["a"]'], 'value')).toBe('3');
  });

  test('keeps the first of two values of a key, and reports the second', () => {
    const { value, findings } = parseDocument('{a: 1, "a": 2}');
    expect(value).toEqual({ a: 1 });
    expect(findings).toMatchObject([
      { code: 'duplicate-key', path: ['a'], span: { start: 7, end: 10 }, relatedSpan: { start: 1, end: 2 } },
    ]);
  });

  test('never sets a prototype', () => {
    const { value, findings } = parseDocument('{"__proto__": {"x": 1}, b: {constructor: 1, prototype: 2}}');
    expect(value).toEqual({ b: {} });
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(findings.map(({ code, path }) => `${code} ${path.join('.')}`)).toEqual([
      'forbidden-key __proto__',
      'forbidden-key b.constructor',
      'forbidden-key b.prototype',
    ]);
  });
});

describe('a text that is not JSON5', () => {
  test.each([
    ['', '1:1', 'the file ends too early'],
    [' \n // only a comment', '2:19', 'the file ends too early'],
    ['{"agents": {\n\n', '1:12', 'this "{" is not closed'],
    ['{"agents": {"a": 1,\n\n', '1:12', 'this "{" is not closed'],
    ['[1, 2', '1:1', 'this "[" is not closed'],
    ['{a: {b: 1}', '1:1', 'this "{" is not closed'],
    ['{a: 1}}', '1:7', 'unexpected "}"'],
    ['{a: [}', '1:6', 'unexpected "}"'],
    ['{a: 1}\n{b: 2}', '2:1', 'unexpected "{"'],
    ['{\n  "a": 1\n  "b": 2\n}', '3:3', 'unexpected string; is a comma or colon missing before it?'],
    ['{"a" 1}', '1:6', 'unexpected number; is a comma or colon missing before it?'],
    ['{a: foo}', '1:5', 'unexpected word; are quotes missing around it, or a comma or colon before it?'],
    ['{a: 1,, b: 2}', '1:7', 'unexpected ","'],
    ['{a: : 1}', '1:5', 'unexpected ":"'],
    ['{null: 1}', '1:2', 'unexpected null; is a comma or colon missing before it, or quotes around it?'],
    ['{a: "b}', '1:5', 'this string is not closed'],
    ['{"a": "x,\n"b": 2}', '1:7', 'this string is not closed'],
    ["{a: 'b\\", '1:5', 'this string is not closed'],
    ['{a: 1 /* b }', '1:7', 'this comment is not closed'],
    ['{a: @}', '1:5', 'unexpected character "@"'],
    ['{a: 01}', '1:6', 'unexpected character "1"'],
    ['undefined', '1:1', 'unexpected word; are quotes missing around it, or a comma or colon before it?'],
    ['['.repeat(100_000), '1:65', 'more than 64 levels of nesting'],
    ['{a:'.repeat(65), '1:193', 'more than 64 levels of nesting'],
  ])('%j is refused', (text, position, message) => {
    const { value, findings } = parseDocument(text);
    expect(value).toBeUndefined();
    expect(findings).toMatchObject([{ code: 'syntax', message }]);
    const { line, column } = new Lines(text).position(findings[0]?.span?.start ?? -1);
    expect(`${line}:${column}`).toBe(position);
  });

  test('of 64 levels is not too deep', () => {
    expect(parseDocument('['.repeat(64) + ']'.repeat(64)).findings).toEqual([]);
  });

  test('brackets in strings and comments do not count', () => {
    expect(parseDocument(`["${'['.repeat(100)}", /* ${'{'.repeat(100)} */]`).findings).toEqual([]);
  });

  test.each([
    ['one long string', `{"a": "${'\\"x'.repeat(300_000)}`],
    ['one long comment', `/*${' *'.repeat(500_000)}`],
    ['very many quotes', '"'.repeat(1_000_001)],
    ['very many slashes', '/ '.repeat(500_000)],
    ['one long word', 'x'.repeat(1_000_000)],
    ['very many lines', '\r'.repeat(1_000_000)],
  ])(
    'of a megabyte is refused, and a reading in quadratic time would not end in the time of a test: %s',
    (_what, text) => {
      expect(parseDocument(text).findings).toHaveLength(1);
    },
  );
});
