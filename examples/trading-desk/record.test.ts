import { expect, test } from 'vitest';
import { createRecord, textOf } from './record.ts';

test('a record counts by kind and keeps the order', () => {
  const record = createRecord();
  record.add('event', { a: 1 });
  record.add('log', 'text');
  record.add('event', { b: 2 });
  expect(record.entries.map(({ text }) => text)).toEqual(['{"a":1}', 'text', '{"b":2}']);
  expect(record.counts()).toEqual(
    new Map([
      ['event', 2],
      ['log', 1],
    ]),
  );
});

const needle = 'planted-needle';
const error = Object.assign(new Error('outer', { cause: new Error(needle) }), { code: 'X' });
const cycle: Record<string, unknown> = { needle };
cycle['self'] = cycle;

test.each([
  ['a string', needle],
  ['a nested object', { a: [{ b: needle }] }],
  ['a key', { [needle]: 1 }],
  ['a map', new Map([['k', needle]])],
  ['the key of a map', new Map([[needle, 1]])],
  ['a set', new Set([needle])],
  ['a buffer', Buffer.from(needle)],
  ['a typed array in an object', { bytes: new Uint8Array(Buffer.from(needle)) }],
  ['an array buffer', new TextEncoder().encode(needle).buffer],
  ['an error message', new Error(needle)],
  ['the cause of an error', error],
  ['a field of an error', Object.assign(new Error('e'), { detail: needle })],
  ['a cycle', cycle],
  ['a symbol', { s: Symbol(needle) }],
  ['a function', { f: () => 'planted-needle' }],
])('%s keeps its text', (_, value) => {
  expect(textOf(value)).toContain(needle);
});

test('nothing at all is no text', () => {
  expect(textOf(undefined)).toBe('');
  expect(textOf({ n: 10n })).toBe('{"n":"10"}');
});
