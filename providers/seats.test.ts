import { expect, test } from 'vitest';
import { createSeats } from './seats.ts';

const { signal } = new AbortController();

test('no more work than there are seats, in order, and a failure frees its seat', async () => {
  const seat = createSeats(2);
  const gates = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
  const begun: number[] = [];
  const works = gates.map(({ promise }, n) =>
    seat(signal, async () => {
      begun.push(n);
      await promise;
      return n;
    }),
  );
  await Promise.resolve();
  expect(begun).toEqual([0, 1]);
  gates[1]?.reject(new Error('failed'));
  await expect(works[1]).rejects.toThrow('failed');
  expect(begun).toEqual([0, 1, 2]);
  for (const gate of gates) gate.resolve();
  expect(await Promise.all([works[0], works[2], works[3]])).toEqual([0, 2, 3]);
});

test('who gives up while waiting neither works nor keeps a seat', async () => {
  const seat = createSeats(1);
  const gate = Promise.withResolvers<void>();
  const first = seat(signal, () => gate.promise);
  const ending = new AbortController();
  const second = seat(ending.signal, async () => expect.unreachable());
  const third = seat(signal, async () => 'third');
  ending.abort(new Error('given up'));
  await expect(second).rejects.toThrow('given up');
  gate.resolve();
  await first;
  expect(await third).toBe('third');
  expect(await seat(signal, async () => 'fourth')).toBe('fourth');
});
