import { expect, test } from 'vitest';
import { Receipts } from './receipts.ts';

test('those that came together are told at once, and nobody twice', async () => {
  const told: unknown[] = [];
  const next = Promise.withResolvers<void>();
  const receipts = new Receipts((connections, upTo) => {
    told.push([...connections, upTo]);
    next.resolve();
  });
  receipts.taken(1);
  receipts.taken(3);
  expect(told).toEqual([]);
  await next.promise;
  receipts.taken(4);
  receipts.given(5);
  receipts.given(5);
  expect(told).toEqual([[1, 3, undefined], [4, 5], [5]]);
});
