import { createActor, createMachine } from 'xstate';
import { expect, test } from 'vitest';
import { Timers } from './timers.ts';

function clock(): { timers: Timers; pass: (to: number) => void } {
  const time = { now: 0 };
  const timers = new Timers(time);
  const pass = (to: number): void => {
    while (timers.next !== undefined && timers.next <= to) {
      time.now = timers.next;
      timers.runNext();
    }
    time.now = to;
  };
  return { timers, pass };
}

test('timers run in the order of their times, and of those at the same time the oldest first', () => {
  const { timers, pass } = clock();
  const ran: string[] = [];
  timers.setTimeout(() => ran.push('b'), 20);
  timers.setTimeout(() => ran.push('a'), 10);
  timers.setTimeout(() => ran.push('c'), 20);
  pass(19);
  expect(ran).toEqual(['a']);
  pass(20);
  expect(ran).toEqual(['a', 'b', 'c']);
  expect(timers.next).toBeUndefined();
});

test('one that is not due does not run, nor one that was cleared', () => {
  const { timers } = clock();
  const timer = timers.setTimeout(() => expect.unreachable(), 10);
  timers.runNext();
  expect(timers.next).toBe(10);
  timers.clearTimeout(timer);
  timers.clearTimeout(timer);
  expect(timers.next).toBeUndefined();
  timers.runNext();
});

test.each([[0], [-5], [Number.NaN], [0.5]])('a delay of %d is one of 1 ms, as in Node', (ms) => {
  const { timers } = clock();
  timers.setTimeout(() => {}, ms);
  expect(timers.next).toBe(1);
});

test('a delay longer than Node can wait is as long as it says', () => {
  const { timers } = clock();
  timers.setTimeout(() => {}, 2 ** 40);
  expect(timers.next).toBe(2 ** 40);
});

test('timers that timers start run in their time', () => {
  const { timers, pass } = clock();
  const ran: number[] = [];
  const again = (n: number): void => {
    ran.push(n);
    if (n < 5) timers.setTimeout(() => again(n + 1), 10);
  };
  again(0);
  pass(35);
  expect(ran).toEqual([0, 1, 2, 3]);
});

test("they are a clock for XState's actors", () => {
  const { timers, pass } = clock();
  const machine = createMachine({ initial: 'a', states: { a: { after: { 1000: 'b' } }, b: {} } });
  const actor = createActor(machine, { clock: timers }).start();
  pass(999);
  expect(actor.getSnapshot().value).toBe('a');
  pass(1000);
  expect(actor.getSnapshot().value).toBe('b');
});
