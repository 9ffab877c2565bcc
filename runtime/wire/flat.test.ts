import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { transfer } from '../mailbox/transfer.ts';
import { flatCopy, NOT_FLAT } from './flat.ts';

describe('a flat copy', () => {
  test('is what cloning makes of the value, or there is none', () => {
    const anything = fc.anything({
      maxDepth: 2,
      withBigInt: true,
      withDate: true,
      withMap: true,
      withTypedArray: true,
    });
    fc.assert(
      fc.property(anything, (value) => {
        const copy = flatCopy(value);
        const [cloned, whole] = copy === NOT_FLAT ? [] : [structuredClone(copy), structuredClone(value)];
        expect(cloned).toStrictEqual(whole);
      }),
    );
  });

  test('does not change with its original', () => {
    const args = { data: 'first', n: 1 };
    const copy = flatCopy(args);
    args.data = 'second';
    expect(copy).toEqual({ data: 'first', n: 1 });
  });

  test.each([
    ['a list', [1]],
    ['bytes', new Uint8Array(2)],
    ['an object in an object', { a: {} }],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['a field that cannot be cloned', { a: () => 1 }],
    ['a date', new Date(0)],
    ['an instance of a class', new URL('https://x.test')],
    ['an object without a prototype', Object.create(null)],
    ['many fields', Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`k${n}`, n]))],
    ['a field called __proto__', JSON.parse('{"__proto__":1}')],
    ['what is marked to move', transfer({ a: 1 }, [new ArrayBuffer(1)])],
  ])('is none of %s', (_, value) => {
    expect(flatCopy(value)).toBe(NOT_FLAT);
  });
});
