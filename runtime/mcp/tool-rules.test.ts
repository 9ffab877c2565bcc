import { expect, test } from 'vitest';
import { isAllowedTool } from './tool-rules.ts';

test.each([
  ['find_orders', ['find_orders'], [], true],
  ['find_order', ['find_orders'], [], false],
  ['find_orders', ['find_*'], [], true],
  ['find_', ['find_*'], [], true],
  ['find_orders', ['*_orders'], [], true],
  ['find_orders', ['f*d*s'], [], true],
  ['find_orders', ['f*x*s'], [], false],
  ['aba', ['ab*ba'], [], false],
  ['abba', ['ab*ba'], [], true],
  ['anything', ['*'], [], true],
  ['', ['*'], [], true],
  ['find_internal', ['find_*'], ['*internal'], false],
  ['Find_orders', ['find_*'], [], false],
  ['a.c', ['a?c', 'a.*'], [], true],
  ['abc', ['a.c'], [], false],
  ['anything', [], [], false],
])('%s, of %j without %j: %s', (name, allow, deny, allowed) => {
  expect(isAllowedTool(name, { allow, deny })).toBe(allowed);
});

test('a name and a pattern that would keep a regular expression busy take no time', () => {
  const pattern = `${'*a'.repeat(100)}b`;
  expect(isAllowedTool('a'.repeat(100_000), { allow: [pattern], deny: [] })).toBe(false);
});
