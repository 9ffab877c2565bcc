import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OrderedMap } from './ordered-map.ts';
import { SortedMap } from './sorted-map.ts';

/** What is done to a map: set, or delete where there is no value. */
const changes = fc.array(
  fc.record({ key: fc.nat(30), value: fc.option(fc.nat(), { nil: undefined, freq: 2 }) }),
  { maxLength: 200, size: 'max' },
);

describe('a sorted map', () => {
  test('holds what a map holds, in the order of its keys, and the map of before does not change', () => {
    fc.assert(
      fc.property(changes, fc.nat(30), (all, from) => {
        const model = new Map<number, number>();
        let [map, wrong] = [new SortedMap<number, number>(), false];
        const half = all.length >> 1;
        let [earlier, held] = [map, [...map]];
        for (const [i, { key, value }] of all.entries()) {
          if (i === half) [earlier, held] = [map, [...map]];
          if (value === undefined) model.delete(key);
          else model.set(key, value);
          map = value === undefined ? map.without(key) : map.with(key, value);
          wrong ||= map.size !== model.size || map.has(key) !== model.has(key) || map.get(key) !== value;
        }
        expect(wrong).toBe(false);
        const sorted = [...model].toSorted(([a], [b]) => a - b);
        expect([...map]).toEqual(sorted);
        expect([map.first, [...map.from(from)]]).toEqual([sorted[0], sorted.filter(([key]) => key >= from)]);
        expect([...earlier]).toEqual(held);
      }),
    );
  });

  test.each([
    ['ascending', (n: number) => n],
    ['descending', (n: number) => -n],
    ['in turns from both ends', (n: number) => (n % 2 === 0 ? n : -n)],
  ])('is flat, when keys come %s and every third goes', (_order, key) => {
    let map = new SortedMap<number, true>();
    for (let n = 0; n < 10_000; n += 1) map = map.with(key(n), true);
    for (let n = 0; n < 10_000; n += 3) map = map.without(key(n));
    const [root] = Object.getOwnPropertySymbols(map).map(
      (name) => Reflect.get(map, name) as { height: number },
    );
    // 1.44 log2 n is the bound of an AVL tree; it was built from 10,000.
    expect(root?.height).toBeLessThanOrEqual(19);
    expect(map.size).toBe(6666);
  });
});

describe('an ordered map', () => {
  test('holds what a map holds, in the order in which its keys came', () => {
    fc.assert(
      fc.property(changes, fc.nat(30), (all, from) => {
        const model = new Map<string, number>();
        let [map, wrong] = [new OrderedMap<number>(), false];
        for (const { key: number, value } of all) {
          const key = `k${number}`;
          if (value === undefined) model.delete(key);
          else model.set(key, value);
          map = value === undefined ? map.without(key) : map.with(key, value);
          wrong ||= map.size !== model.size || map.has(key) !== model.has(key) || map.get(key) !== value;
        }
        expect(wrong).toBe(false);
        const [keys, values] = [[...model.keys()], [...model.values()]];
        const first = keys.indexOf(`k${from}`);
        expect(map.values()).toEqual(values);
        expect(map.from(`k${from}`)).toEqual(first === -1 ? [] : values.slice(first));
        const orders = keys.map((key) => map.orderOf(key) ?? -1);
        expect(orders).toEqual(orders.toSorted((a, b) => a - b));
      }),
    );
  });
});
