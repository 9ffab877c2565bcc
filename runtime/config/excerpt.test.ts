import { describe, expect, test } from 'vitest';
import { excerpt, Lines, maskAllValues, maskComments, mergeMasks } from './excerpt.ts';
import { lexemes } from './lexemes.ts';

function show(text: string, needle: string, masked: readonly string[] = []): string {
  const masks = masked.map((part) => {
    const start = text.indexOf(part);
    return { start, end: start + part.length, show: '…' };
  });
  return excerpt(text, new Lines(text), text.indexOf(needle), mergeMasks(masks));
}

describe('lines', () => {
  test('end with LF, CRLF or CR', () => {
    const text = 'a\nbb\r\nccc\rdddd\r\r\n\ne';
    const lines = new Lines(text);
    const position = (needle: string) => lines.position(text.indexOf(needle));
    expect(position('a')).toEqual({ line: 1, column: 1 });
    expect(position('bb')).toEqual({ line: 2, column: 1 });
    expect(position('ccc')).toEqual({ line: 3, column: 1 });
    expect(lines.position(text.indexOf('dddd') + 3)).toEqual({ line: 4, column: 4 });
    expect(position('e')).toEqual({ line: 7, column: 1 });
    expect(lines.position(text.length)).toEqual({ line: 7, column: 2 });
    expect(lines.span(2)).toEqual({ start: 2, end: 4 });
    expect(lines.span(7)).toEqual({ start: text.length - 1, end: text.length });
  });

  test('of an empty text are one', () => {
    expect(new Lines('').position(0)).toEqual({ line: 1, column: 1 });
    expect(new Lines('').span(1)).toEqual({ start: 0, end: 0 });
  });

  test('do not count a byte order mark', () => {
    const lines = new Lines('\uFEFF{ a: 1\n}');
    expect([0, 1, 3].map((at) => lines.position(at).column)).toEqual([1, 1, 3]);
    expect([lines.span(1), lines.position(9)]).toEqual([
      { start: 1, end: 7 },
      { line: 2, column: 2 },
    ]);
  });
});

describe('an excerpt', () => {
  test('is a line with a caret under the place', () => {
    expect(show('{\n  a: 1,\n  b: 2\n}', 'b')).toBe('3 |   b: 2\n  |   ^');
  });

  test('keeps the caret in its place after a tab and a control character', () => {
    expect(show('\t\ta\u001b: b', 'b')).toBe('1 |   a?: b\n  |       ^');
  });

  test('does not show what is masked, and keeps the caret in its place', () => {
    expect(show('a: "secret", b: 1', 'b', ['"secret"'])).toBe('1 | a: …, b: 1\n  |       ^');
    expect(show('a: "secret", b: 1', '"secret"', ['"secret"'])).toBe('1 | a: …, b: 1\n  |    ^');
    expect(show('a: "secret", b: 1', 'cret', ['"secret"', 'secret'])).toBe('1 | a: …, b: 1\n  |    ^');
  });

  test('of a line in the middle of something masked shows nothing of it', () => {
    expect(show('a: /* x\nsecret\n*/ b', 'secret', ['/* x\nsecret\n*/'])).toBe('2 | …\n  | ^');
    expect(show('a: /* x\nsecret\n*/ b', 'b', ['/* x\nsecret\n*/'])).toBe('3 | … b\n  |   ^');
  });

  test('of a long line is the part around the caret', () => {
    const text = `${'x'.repeat(500)}HERE${'y'.repeat(500)}`;
    const [line = '', caret = ''] = show(text, 'HERE').split('\n');
    expect(line).toMatch(/^1 \| …x+HEREy+…$/);
    expect(line.length).toBeLessThan(110);
    expect(line.slice(caret.indexOf('^'))).toMatch(/^HERE/);
  });

  test('of the end of a text has its caret behind the last character', () => {
    const text = '{a: 1';
    expect(excerpt(text, new Lines(text), text.length, [])).toBe('1 | {a: 1\n  |      ^');
  });
});

describe('masks', () => {
  const masked = (text: string, masks: ReturnType<typeof maskComments>) =>
    mergeMasks(masks).reduceRight(
      (shown, { start, end, show }) => shown.slice(0, start) + show + shown.slice(end),
      text,
    );

  test('of comments leave the rest', () => {
    const text = 'a // "b"\n/* c\n*/ "// d"';
    expect(masked(text, maskComments(lexemes(text)))).toBe('a /*…*/\n/*…*/ "// d"');
  });

  test.each([
    [`{"a": "b", c: d, 'e' : 'f'}`, `{"a": …, c: …, 'e' : …}`],
    ['{a: [true, false, null, 12, "x"]}', '{a: [true, false, null, …, …]}'],
    ['{a: "b', '{a: …'],
    ['{a: "b\n c: "d"}', '{a: …\n c: …}'],
    ['a b c', '… … …'],
    ['url: postgres://user:pass@host/db', 'url: postgres:/*…*/'],
    ['key: abc/def+g=', 'key: ……'],
    [`"${'k'.repeat(50)}": 1`, '…: …'],
    ['{"a\\"b": "c\\"d"}', '{"a\\"b": …}'],
  ])('of all values of %j leave %j', (text, expected) => {
    expect(masked(text, maskAllValues(text, lexemes(text)))).toBe(expected);
  });

  test('inside another are left out', () => {
    const mask = (start: number, end: number) => ({ start, end, show: '' });
    expect(mergeMasks([mask(5, 6), mask(0, 4), mask(1, 2), mask(5, 9)])).toEqual([mask(0, 4), mask(5, 9)]);
  });
});
