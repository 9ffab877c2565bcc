import { expect, test } from 'vitest';
import { createInbox, feed, type Feedable } from './feed.ts';

/** An instance that handles events only when told to, and counts how many it owes. */
function slowInstance() {
  const got: number[] = [];
  const open: { last: number; resolve: () => void; reject: (error: Error) => void }[] = [];
  let most = 0;
  let handled = 0;
  const take = (event: number): void => {
    got.push(event);
    most = Math.max(most, got.length - handled);
  };
  const ref: Feedable<number> = {
    send: take,
    async deliver(event) {
      take(event);
      await new Promise<void>((resolve, reject) => {
        open.push({ last: got.length, resolve, reject });
      });
    },
  };
  return {
    ref,
    got,
    open,
    get most() {
      return most;
    },
    async handleAll(until: Promise<unknown>): Promise<void> {
      const over = until.then(
        () => true,
        () => true,
      );
      const nextTurn = async (): Promise<boolean> => {
        await new Promise(setImmediate);
        return false;
      };
      while (!(await Promise.race([over, nextTurn()]))) {
        const next = open.shift();
        if (next) {
          handled = next.last;
          next.resolve();
        }
      }
    },
  };
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

test.each([0, 1, 399, 400, 401, 5000])('%i events arrive once and in order', async (count) => {
  const instance = slowInstance();
  let reported = 0;
  const fed = feed(instance.ref, numbers(count), (handled) => (reported += handled));
  await instance.handleAll(fed);
  await fed;
  expect(instance.got).toEqual(numbers(count));
  expect(reported).toBe(count);
});

test('never more than a mailbox holds is under way', async () => {
  const instance = slowInstance();
  const fed = feed(instance.ref, numbers(10_000));
  await instance.handleAll(fed);
  expect(instance.most).toBe(800);
  expect(instance.most).toBeLessThan(1000);
});

test('a failed window ends the feeding with its error, and no later window goes out', async () => {
  const instance = slowInstance();
  const fed = feed(instance.ref, numbers(10_000));
  await new Promise(setImmediate);
  instance.open[0]?.reject(new Error('the instance is gone'));
  await expect(fed).rejects.toThrow('the instance is gone');
  expect(instance.got.length).toBeLessThanOrEqual(800);
});

test('an inbox passes on what comes, in order, also what comes meanwhile', async () => {
  const instance = slowInstance();
  const inbox = createInbox(instance.ref);
  for (const event of numbers(10)) inbox.push(event);
  await new Promise(setImmediate);
  for (const event of numbers(10)) inbox.push(10 + event);
  const settled = inbox.settled();
  await instance.handleAll(settled);
  await settled;
  expect(instance.got).toEqual(numbers(20));
});

test('an inbox settles while more keeps coming', async () => {
  const instance = slowInstance();
  const inbox = createInbox(instance.ref);
  inbox.push(0);
  const settled = inbox.settled();
  await new Promise(setImmediate);
  inbox.push(1);
  await instance.handleAll(settled);
  await settled;
  expect(instance.got[0]).toBe(0);
});

test('an inbox says when feeding failed', async () => {
  const instance = slowInstance();
  const inbox = createInbox(instance.ref);
  inbox.push(0);
  await new Promise(setImmediate);
  instance.open[0]?.reject(new Error('gone'));
  await expect(inbox.settled()).rejects.toThrow('gone');
});

test('an inbox nobody used is settled', async () => {
  await expect(createInbox(slowInstance().ref).settled()).resolves.toBeUndefined();
});
