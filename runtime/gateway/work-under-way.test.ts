import { expect, test } from 'vitest';
import { WorkUnderWay } from './work-under-way.ts';

/** Instances whose work is looked at: `looks` has who is at work at each look, the last of them from then on. */
function rig(...looks: readonly (readonly string[])[]) {
  const left = [...looks];
  let handled = 0;
  const work = new WorkUnderWay({
    working: () => [...((left.length > 1 ? left.shift() : left[0]) ?? [])],
    handled: () => Promise.resolve((handled += 1) > 0),
  });
  return { work, left: () => left.length, handled: () => handled };
}

test('each that is at work is waited for until it was without once, whatever others begin, and it itself again', async () => {
  const { work, left } = rig(['a', 'b'], ['b', 'c'], ['a', 'c'], ['never looked at']);
  await work.finished(60_000);
  expect(left()).toBe(1);
});

test('what is under way all the time is given up when that is over, and is not waited for while requests are held', async () => {
  const { work, handled } = rig(['always']);
  await work.finished(1);
  await work.over(60_000);
  expect(handled()).toBe(1);
  expect(work.now).toEqual(['always']);
});

test('what has begun in the meantime is waited for while requests are held, for as long as they may be', async () => {
  const { work, handled, left } = rig([], ['a'], ['a'], ['a'], []);
  await work.finished(60_000);
  await work.over(60_000);
  expect([left(), handled()]).toEqual([1, 3]);
  const other = rig([], ['a']);
  await other.work.finished(60_000);
  await other.work.over(1);
  expect(other.handled()).toBe(1);
});

test('nobody waits where no instance outlives the process', async () => {
  const work = new WorkUnderWay({ working: () => undefined, handled: () => Promise.reject(new Error()) });
  await work.finished(60_000);
  await work.over(60_000);
  expect(work.now).toEqual([]);
});
