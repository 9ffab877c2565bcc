import { expect, test } from 'vitest';
import { plainJson } from './plain-json.ts';

test('what is shared is shown wherever it stands, and layers of it end', () => {
  const shared = { n: 1 };
  expect(plainJson({ a: shared, b: [shared], map: new Map([['c', shared]]) })).toEqual({
    a: shared,
    b: [shared],
    map: { c: shared },
  });
  let layers: unknown = { end: true };
  for (let layer = 0; layer < 60; layer++) layers = { a: layers, b: layers };
  expect(JSON.stringify(plainJson(layers)).length).toBeLessThan(1_000_000);
});

test('cycles and deep values end', () => {
  const cycle: Record<string, unknown> = { n: 1 };
  cycle['self'] = cycle;
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level++) deep = [deep];
  expect(JSON.stringify(plainJson([cycle, deep]))).toContain('…');
});

test('a list that is mostly holes is told by its length', () => {
  const list: unknown[] = [];
  list[3_999_999_999] = 1;
  expect(plainJson({ list, short: Array.from({ length: 2 }) })).toEqual({
    list: '<list of 4000000000 that is mostly empty>',
    short: [null, null],
  });
});
