import { expect, test } from 'vitest';
import { searchFor } from './search.ts';
import { weightOf } from './weight.ts';

test.each([
  ['random', ['q8Zt-Lw2vXp5Kq1', 'sk-ab12cd34ef56gh78', 'c0ffee11223344556677', 'AKIA2E0A8F3B244C9986']],
  [
    'long',
    [
      'correct-horse-71-battery',
      'correct horse battery staple',
      'long-enough-4711-pw',
      'tok-99-88-77-66',
      'model-opus-4-6',
    ],
  ],
  ['maybe', ['h7Kq2m', 'gpt-4o-mini', 'localhost:5432', 'qWeRtZuIoPaSd', 'c0ffee', 'db.desk2.example:5432']],
  [
    'word',
    ['admin', 'postgres', 'thread-bound', '8080', '4711081500000', '', 'x', 'aaaaaaaaaaaaaaaaaaaaaaaa'],
  ],
] as const)('of the weight %s are', (weight, values) => {
  expect(values.map((value) => [value, weightOf(value)])).toEqual(values.map((value) => [value, weight]));
});

const value = 'q8Zt-Lw2vXp5Kq1';

test.each([
  ['alone', value, [[0, value.length]]],
  [
    'in a URL',
    `https://u:${value}@h/?k=${value}`,
    [
      [10, 25],
      [31, 46],
    ],
  ],
  ['twice without anything between', value + value, [[0, 2 * value.length]]],
  ['not there', 'q8Zt-Lw2vXp5Kq', []],
])('a random value is found %s', (_what, content, spans) => {
  const { cuts, isDoubtful } = searchFor([value]).in(content);
  expect([cuts.map(({ start, end }) => [start, end]), isDoubtful]).toEqual([spans, false]);
});

test('a value is found as JSON and URLs write it', () => {
  const odd = 'a1b2c3"d4\n/e5é6';
  const search = searchFor([odd]);
  for (const form of [odd, JSON.stringify(odd).slice(1, -1), encodeURIComponent(odd)]) {
    expect(search.in(`x ${form} y`).cuts).toEqual([{ start: 2, end: 2 + form.length }]);
  }
});

test('what may be written for another reason stays, and is doubted where it is no piece of a word', () => {
  const search = searchFor(['gpt-4o', 'admin']);
  expect(search.in('gpt-4o')).toEqual({ cuts: [], isDoubtful: true });
  expect(search.in('openai/gpt-4o, as always')).toEqual({ cuts: [], isDoubtful: true });
  expect(search.in('gpt-4os')).toEqual({ cuts: [], isDoubtful: false });
  expect(search.in('admin')).toEqual({ cuts: [], isDoubtful: false });
});

test('a pass phrase stays where it is the name of something', () => {
  const phrase = 'anthropic/claude-something-new';
  const search = searchFor([phrase]);
  expect([search.in(phrase, 'model'), search.has(phrase, 'MAIN_MODEL')]).toEqual([
    { cuts: [], isDoubtful: true },
    false,
  ]);
  expect([search.in(phrase, 'note').cuts.length, search.has(phrase, 'NOTE')]).toEqual([1, true]);
  expect([
    search.in(`say ${phrase}`, 'modelName').isDoubtful,
    search.in(`say ${phrase}`).cuts.length,
  ]).toEqual([true, 1]);
});
