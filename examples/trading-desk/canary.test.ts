import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CanaryHit, encodingsOf, findCanaries, searchFinds } from './canary.ts';
import { textOf } from './record.ts';

const value = 'desk-made+up/value?0123456789';
const canaries = [{ name: 'v1', value }];
const search = (text: string): CanaryHit[] => findCanaries([{ kind: 'log', text }], canaries);

test.each([
  ['as it is', `x ${value} y`, 'text'],
  ['in a URL', encodeURIComponent(value), 'text'],
  ['in hex', Buffer.from(value).toString('hex'), 'hex'],
  ['in capital hex', Buffer.from(value).toString('hex').toUpperCase(), 'hex'],
  ['as a list of bytes', textOf([...Buffer.from(value)]), 'bytes'],
  ['as a Buffer', textOf({ key: Buffer.from(value) }), 'bytes'],
])('a value is found %s', (_, text, encoding) => {
  expect(search(text)).toContainEqual({ kind: 'log', canary: 'v1', encoding });
});

test.each([0, 1, 2, 3, 4, 5])('a value is found in base64 when %i bytes stand before it', (before) => {
  const bytes = Buffer.from(`${'x'.repeat(before)}${value} and more`);
  expect(search(bytes.toString('base64')).map((hit) => hit.encoding)).toContain('base64');
  expect(search(bytes.toString('base64url')).map((hit) => hit.encoding)).toContain('base64url');
});

test('every encoding of every value is found wherever it stands', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 8, maxLength: 40 });
  fc.assert(
    fc.property(text, fc.string(), fc.string(), (secret, before, after) => {
      for (const [encoding, forms] of encodingsOf(secret))
        for (const form of forms) {
          const hits = findCanaries(
            [{ kind: 'event', text: `${before}${form}${after}` }],
            [{ name: 'v', value: secret }],
          );
          expect(hits.map((hit) => hit.encoding)).toContain(encoding);
        }
    }),
  );
});

test('a text without the value has no hit', () => {
  expect(search('desk-made+up/value?012345678')).toEqual([]);
  expect(search('')).toEqual([]);
});

test('a hit names the kind of record and the canary, never the value', () => {
  const hits = findCanaries(
    [
      { kind: 'snapshot', text: 'clean' },
      { kind: 'event', text: `leak: ${value}` },
    ],
    [{ name: 'other', value: 'not-there-at-all' }, ...canaries],
  );
  expect(hits).toEqual([{ kind: 'event', canary: 'v1', encoding: 'text' }]);
  expect(JSON.stringify(hits)).not.toContain(value);
});

test('the search proves itself with a planted control', () => {
  expect(searchFinds('a-random-control-value')).toBe(true);
});
