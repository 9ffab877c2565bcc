import { expect, it } from 'vitest';
import { HeldPartitions } from './held-partitions.ts';

/** Partitions with a store whose taking is finished by the test. */
function held() {
  const log: string[] = [];
  const taking: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = [];
  const time = { ms: 0 };
  const partitions = new HeldPartitions({
    listener: {
      take(parts) {
        log.push(`takes ${parts.join()}`);
        const { promise, ...ends } = Promise.withResolvers<void>();
        taking.push(ends);
        return promise;
      },
      lost: (parts) => void log.push(`lost ${parts.join()}`),
    },
    changed() {},
    failed: (error) => void log.push(`failed: ${(error as Error).message}`),
    now: () => time.ms,
  });
  /** The store has done what it was to do, or not. */
  const done = async (error?: Error): Promise<void> => {
    await turn();
    const { resolve, reject } = taking.shift() as (typeof taking)[number];
    if (error === undefined) resolve();
    else reject(error);
    await turn();
  };
  return { partitions, log, time, done };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('takes together what it is given together, and the rest behind it', async () => {
  const { partitions, log, done } = held();
  for (const partition of [1, 2]) partitions.give(partition);
  await turn();
  partitions.give(3);
  expect(partitions.has(1)).toBe(false);
  await done();
  expect(partitions.has(1)).toBe(true);
  await done();
  expect(log).toEqual(['takes 1,2', 'takes 3']);
});

it('what is taken back is lost at once', async () => {
  const { partitions, log, done } = held();
  partitions.give(1);
  await done();
  void partitions.takeBack(1, 0);
  expect(log).toEqual(['takes 1', 'lost 1']);
  expect(partitions.has(1)).toBe(false);
});

it('what is taken back while it is taken is lost when it is, and nobody gets it before', async () => {
  const { partitions, log, done } = held();
  partitions.give(1);
  await turn();
  const over = partitions.takeBack(1, 0).then(() => log.push('over'));
  await turn();
  expect(log).toEqual(['takes 1']);
  await done();
  await over;
  expect(log).toEqual(['takes 1', 'lost 1', 'over']);
});

it('what could not be taken is tried again', async () => {
  const { partitions, log, done } = held();
  partitions.give(1);
  await done(new Error('no'));
  expect(log).toEqual(['takes 1', 'failed: no']);
  partitions.settle();
  await done();
  expect(partitions.has(1)).toBe(true);
});

it('what is taken back for a while goes on if it comes back in time, and is lost if not', async () => {
  const { partitions, log, time, done } = held();
  for (const partition of [1, 2]) partitions.give(partition);
  await done();
  for (const partition of [1, 2]) void partitions.takeBack(partition, 1000);
  time.ms = 999;
  partitions.give(1);
  partitions.settle();
  expect(log).toEqual(['takes 1,2']);
  time.ms = 1000;
  partitions.settle();
  expect(log).toEqual(['takes 1,2', 'lost 2']);
});

it('what others have taken is lost, also while it is kept, and is not taken from them in the same moment', async () => {
  const { partitions, log, done } = held();
  for (const partition of [1, 2]) partitions.give(partition);
  await done();
  void partitions.takeBack(2, 1000);
  partitions.taken([1, 2]);
  await turn();
  expect(log).toEqual(['takes 1,2', 'lost 1,2']);
  partitions.settle();
  await done();
  expect(log.at(-1)).toBe('takes 1');
});

it('one that is closed loses all, and takes nothing', async () => {
  const { partitions, log, done } = held();
  partitions.give(1);
  await done();
  await partitions.close();
  partitions.give(2);
  await turn();
  expect(log).toEqual(['takes 1', 'lost 1']);
});
