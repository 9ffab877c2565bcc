import { expect, test } from 'vitest';
import { MARK } from '../base/marked-text.ts';
import { StateTexts } from './state-texts.ts';

const marked = (...numbers: readonly unknown[]): string => `{"a":${MARK}${numbers.join(',')}${MARK}}`;

test('a store gets the parts that it has not, and hears of those that are gone', () => {
  const first = StateTexts.of(marked(1, 2), [1, '"a', 2, 'b"'], undefined) as StateTexts;
  expect(first.whole(marked(1, 2))).toBe('{"a":"ab"}');
  const added = [
    [1, '"a'],
    [2, 'b"'],
  ];
  expect(first.partsAfter('t', undefined)).toEqual({ text: 't', isWhole: true, added, removed: [] });
  expect(StateTexts.of(marked(1, 2), [], first)).toBe(first);
  const second = StateTexts.of(marked(3, 2), [3, '"c'], first) as StateTexts;
  expect(second.whole(marked(3, 2))).toBe('{"a":"cb"}');
  expect(second.partsAfter('t', first)).toEqual({
    text: 't',
    isWhole: false,
    added: [[3, '"c']],
    removed: [1],
  });
});

test('a store gets some of the parts ahead of their state, and hears of those that no state has', () => {
  const first = StateTexts.of(marked(1), [1, '"a"'], undefined) as StateTexts;
  const second = StateTexts.of(marked(2, 3, 4), [2, '"b', 3, 'cc', 4, 'd"'], first) as StateTexts;
  expect(second.hasMore(undefined)).toBe(false);
  expect(second.hasMore(first)).toBe(true);
  const { added, stored } = second.next(first, 3);
  expect(added).toEqual([
    [2, '"b'],
    [3, 'cc'],
  ]);
  expect(second.partsAfter('t', stored)).toMatchObject({ isWhole: false, added: [[4, 'd"']], removed: [1] });
  const third = StateTexts.of(marked(3), [], second) as StateTexts;
  expect(third.hasMore(stored)).toBe(false);
  expect(third.partsAfter('t', stored)).toMatchObject({ isWhole: false, added: [], removed: [1, 2] });
  // Of a thread that counts anew nothing can go ahead.
  expect(StateTexts.of(marked(1), [1, '"e"'], third)?.hasMore(stored)).toBe(false);
});

test('a thread that counts anew means other parts by the same numbers', () => {
  const first = StateTexts.of(marked(1), [1, '"a"'], undefined) as StateTexts;
  const other = StateTexts.of(marked(1), [1, '"b"'], first) as StateTexts;
  expect(other.whole(marked(1))).toBe('{"a":"b"}');
  expect(other.partsAfter('t', first)).toMatchObject({ isWhole: true, added: [[1, '"b"']], removed: [] });
  expect(StateTexts.of(marked(1, 2), [1, '"b"'], StateTexts.of(marked(2), [2, 'x'], first))).toBeUndefined();
});

test('a thread that gives a number again, in the state or gone from it, is not believed', () => {
  const first = StateTexts.of(marked(1, 2), [1, '"a', 2, 'b"'], undefined) as StateTexts;
  expect(StateTexts.of(marked(1, 2), [2, 'c"'], first)).toBeUndefined();
  const second = StateTexts.of(marked(1), [], first);
  expect(StateTexts.of(marked(1, 2), [2, 'c"'], second)).toBeUndefined();
  expect(StateTexts.of(marked(1, 3), [3, 'c"'], second)?.whole(marked(1, 3))).toBe('{"a":"ac"}');
});

test.each([
  ['a number that was not told', marked(2), [1, '"a"']],
  ['no number', marked('x'), [1, '"a"']],
  ['a number that no store has a place for', marked(2 ** 40), [2 ** 40, '"a"']],
  ['a number of a fraction', marked(0.5), [0.5, '"a"']],
  ['a mark without an end', `{"a":${MARK}`, [1, '"a"']],
  ['a number instead of a part', marked(1), [1, 1]],
])('%s is not what a thread tells', (_what, text, texts) => {
  expect(StateTexts.of(text, texts, undefined)).toBeUndefined();
});
