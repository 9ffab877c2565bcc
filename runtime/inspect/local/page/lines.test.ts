import { expect, test } from 'vitest';
import { lineOf, rangeOf } from './lines.ts';

const event = { type: 'order', none: [], empty: {}, items: [{ name: 'tea' }, { name: 'milk', of: [1, 2] }] };
const text = JSON.stringify(event, null, 2);
const at = (...path: (string | number)[]): string => text.slice(...rangeOf(text, lineOf(event, path)));

test('a path leads to the line of its value, or of what should have it', () => {
  expect(at()).toBe('{');
  expect(at('type')).toBe('  "type": "order",');
  expect(at('empty')).toBe('  "empty": {},');
  expect(at('items', 0, 'name')).toBe('      "name": "tea"');
  expect(at('items', 1, 'of', 1)).toBe('        2');
  expect(at('items', 1, 'qty')).toBe('    {');
  expect(lineOf(event, ['items', 1, 'qty', 'unit'])).toBe(lineOf(event, ['items', 1]));
  expect(at('nowhere')).toBe('{');
});
