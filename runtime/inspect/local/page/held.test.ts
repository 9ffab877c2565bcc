import { expect, test } from 'vitest';
import { Held } from './held.ts';

const events = (count: number, size: number) => ({
  kind: 'events',
  data: Array.from({ length: count }, (_, n) => n),
  size,
});

test('what comes while a moment is held waits in its order, of the status all that has changed as one', () => {
  const held = new Held();
  expect(held.moment(5)).toBe(5);
  held.hold(7);
  expect([held.isHeld, held.moment(9)]).toEqual([true, 7]);
  const status = (data: object) => ({ kind: 'status', data, size: 10 });
  for (const told of [events(2, 10), status({ a: 1, b: 1 }), events(3, 10), status({ b: 2 })])
    held.take(told);
  expect(held.counts).toEqual({ events: 5, left: 0 });
  expect(held.release()).toMatchObject([
    { kind: 'events', data: [0, 1] },
    { kind: 'events', data: [0, 1, 2] },
    { kind: 'status', data: { a: 1, b: 2 } },
  ]);
  expect(held.isHeld).toBe(false);
});

test('what is too much does not wait, and is counted; nothing comes after a gap', () => {
  const held = new Held();
  held.hold(0);
  for (const told of [events(1, 15_000_000), events(4, 2_000_000), events(2, 10)]) held.take(told);
  expect(held.counts).toEqual({ events: 7, left: 6 });
  expect(held.release().length).toBe(1);
  held.hold(0);
  expect(held.counts).toEqual({ events: 0, left: 0 });
});
