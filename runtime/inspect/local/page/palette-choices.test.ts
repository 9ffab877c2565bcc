import { expect, test } from 'vitest';
import { matching, mostChoices, type Choice } from './palette-choices.ts';

const choice = (text: string): Choice => ({ kind: 'actor', text, run: () => {} });
const found = (texts: readonly string[], typed: string) =>
  matching(texts.map(choice), typed).shown.map(({ text }) => text);

test('what begins with the word is first, then what has it at the beginning of a part, then the others', () => {
  const texts = ['desk/xann', 'support/ann', 'Anna', 'other/bob'];
  expect(found(texts, 'ann')).toEqual(['Anna', 'support/ann', 'desk/xann']);
  expect(found(texts, 'ANN sup')).toEqual(['support/ann']);
  expect(found(texts, '')).toEqual(texts);
  // A word is no pattern.
  expect(found(['a.c', 'abc'], 'a.c')).toEqual(['a.c']);
});

test('of many choices so many are shown, and all are counted', () => {
  const all = Array.from({ length: 10_000 }, (_, n) => choice(`worker/${n}`));
  const { shown, total } = matching(all, 'worker');
  expect([shown.length, total]).toEqual([mostChoices, 10_000]);
});
