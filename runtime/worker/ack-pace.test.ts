import { expect, test } from 'vitest';
import { AckPace } from './ack-pace.ts';
import { Acks } from './acks.ts';

const inflow = (): Parameters<Acks['handled']>[0] => ({
  key: 1,
  unacked: 0,
  instance: { ended: false, ending: () => undefined },
});

/** A pace, what it has told, and the one time it has set. */
function rig() {
  const acks = new Acks();
  const told: [handled: number, batches: number][] = [];
  const due: (() => void)[] = [];
  const pace = new AckPace({
    acks,
    tell: () => told.push([acks.take()[0][1] ?? 0, pace.take()]),
    later: (run) => due.push(run),
  });
  const from = inflow();
  const batch = (urgent: boolean, count = 1): void => {
    pace.began();
    acks.handled(from, count);
    pace.completed(urgent);
  };
  return { acks, pace, told, due, from, batch };
}

const microtasks = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a batch that nobody waits for is acknowledged later, together with those that follow', async () => {
  const { told, due, batch } = rig();
  batch(false, 3);
  batch(false, 4);
  await microtasks();
  expect([told, due.length]).toEqual([[], 1]);
  due.shift()?.();
  expect(told).toEqual([[7, 2]]);
  batch(false);
  expect(due).toHaveLength(1);
});

test('what went with a batch in the meantime is not told again when its time comes', () => {
  const { acks, pace, told, due, batch } = rig();
  batch(false);
  expect([acks.take(), pace.take()]).toEqual([[[1, 1]], 1]);
  due.shift()?.();
  expect(told).toEqual([]);
});

test('an urgent batch takes the acks of those before it along, after what the turn has sent', async () => {
  const { told, batch } = rig();
  batch(false);
  batch(true);
  batch(true);
  expect(told).toEqual([]);
  await microtasks();
  expect(told).toEqual([[3, 3]]);
});

test.each(['answered', 'failed'] as const)('an ask that was %s does not wait', async (how) => {
  const { acks, pace, told, from } = rig();
  pace.began();
  acks.handled(from, 1);
  acks[how](5, 'so');
  pace.completed(false);
  await microtasks();
  expect(told).toEqual([[1, 1]]);
});

test('a sender that pulls hears at once what was handled, and of each batch under way as it is completed', async () => {
  const { acks, pace, told, from, batch } = rig();
  batch(false);
  pace.began();
  pace.pull();
  await microtasks();
  expect(told).toEqual([[1, 1]]);
  acks.handled(from, 5);
  pace.completed(false);
  await microtasks();
  expect(told).toEqual([
    [1, 1],
    [5, 1],
  ]);
  batch(false);
  await microtasks();
  expect(told).toHaveLength(2);
});

test('a pull tells nothing where nothing was handled', async () => {
  const { pace, told } = rig();
  pace.pull();
  await microtasks();
  expect(told).toEqual([]);
});

test('a batch of which nothing counts is completed all the same', () => {
  const { pace, told, due } = rig();
  pace.began();
  pace.completed(false);
  due.shift()?.();
  expect(told).toEqual([[0, 1]]);
});
