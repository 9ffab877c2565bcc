import { expect, test } from 'vitest';
import { Deactivations } from './deactivations.ts';
import { createProgress } from '../wire/progress.ts';

function rig() {
  const progress = createProgress();
  const calls: { slots: readonly number[]; counted: number; answer: () => void; die: () => void }[] = [];
  const deactivations = new Deactivations({
    progress,
    takeSlot: () => ({ slot: 7, base: progress.handled(7) }),
    call: (slots, counted) =>
      new Promise<void>((resolve, reject) => {
        calls.push({ slots, counted, answer: resolve, die: () => reject(new Error('it died')) });
      }),
  });
  const outcomes = (stops: readonly Promise<void>[]) =>
    Promise.allSettled(stops).then((all) => all.map(({ status }) => status));
  return { progress, calls, deactivations, outcomes };
}

test('those that are stopped in the same breath go in one message, in their order', async () => {
  const { calls, deactivations, outcomes } = rig();
  const first = [3, 1, 2].map((slot) => deactivations.stop(slot));
  await Promise.resolve();
  const second = [deactivations.stop(4)];
  await Promise.resolve();
  expect(calls.map(({ slots }) => slots)).toEqual([[3, 1, 2], [4]]);
  for (const { answer } of calls) answer();
  expect(await outcomes([...first, ...second])).toEqual(Array.from({ length: 4 }, () => 'fulfilled'));
});

test('whoever is being stopped is known while the thread is at it', async () => {
  const { progress, calls, deactivations } = rig();
  const stops = [deactivations.stop(3), deactivations.stop(1)];
  await Promise.resolve();
  expect([deactivations.stopping(7), deactivations.stopping(3)]).toEqual([3, undefined]);
  progress.end(7);
  expect(deactivations.stopping(7)).toBe(1);
  progress.end(7);
  for (const { answer } of calls) answer();
  await Promise.all(stops);
  expect(deactivations.stopping(7)).toBeUndefined();
});

test('when the thread dies, those have stopped that it has counted, and no others', async () => {
  const { progress, calls, deactivations, outcomes } = rig();
  progress.end(7);
  const first = [0, 1].map((slot) => deactivations.stop(slot));
  await Promise.resolve();
  const second = [2, 3, 4].map((slot) => deactivations.stop(slot));
  await Promise.resolve();
  for (let n = 0; n < 3; n++) progress.end(7);
  for (const { die } of calls) die();
  expect(await outcomes(first)).toEqual(['fulfilled', 'fulfilled']);
  expect(await outcomes(second)).toEqual(['fulfilled', 'rejected', 'rejected']);
});
