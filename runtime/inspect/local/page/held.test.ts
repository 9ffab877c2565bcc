import { expect, test } from 'vitest';
import { Held } from './held.ts';

const events = (count: number, size: number) => ({
  kind: 'events',
  data: Array.from({ length: count }, (_, n) => n),
  size,
});

test('what comes while a moment is held waits in its order, of the status only the latest', () => {
  const held = new Held();
  expect(held.moment(5)).toBe(5);
  held.hold(7);
  expect([held.isHeld, held.moment(9)]).toEqual([true, 7]);
  const status = (data: number) => ({ kind: 'status', data, size: 10 });
  for (const told of [events(2, 10), status(1), events(3, 10), status(2)]) held.take(told);
  expect(held.counts).toEqual({ events: 5, left: 0 });
  expect(held.release().map(({ kind, size }) => [kind, size])).toEqual([
    ['events', 10],
    ['events', 10],
    ['status', 10],
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
