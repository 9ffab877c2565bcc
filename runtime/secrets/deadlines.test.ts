import { SimulatedClock } from 'xstate';
import { describe, expect, test } from 'vitest';
import { Deadlines } from './deadlines.ts';

function setUp() {
  const time = new SimulatedClock();
  let timers = 0;
  const clock = {
    now: () => time.now(),
    setTimeout(run: () => void, ms: number) {
      timers += 1;
      return time.setTimeout(run, ms);
    },
    clearTimeout: (handle: unknown) => time.clearTimeout(handle as number),
  };
  const late: string[] = [];
  const deadlines = new Deadlines(clock);
  const add = (name: string, ms = 100) => deadlines.add(ms, clock.now(), () => void late.push(name));
  return { time, deadlines, late, add, timers: () => timers };
}

describe('deadlines', () => {
  test('come each at its time, in their order, by one timer for all of a length', () => {
    const { time, late, add, timers } = setUp();
    for (let n = 0; n < 50; n++) add(`first ${n}`);
    time.increment(60);
    add('second');
    add('short', 10);
    expect(timers()).toBe(2);
    time.increment(10);
    expect(late).toEqual(['short']);
    time.increment(30);
    expect(late.slice(1)).toEqual(Array.from({ length: 50 }, (_, n) => `first ${n}`));
    time.increment(59);
    expect(late).toHaveLength(51);
    time.increment(1);
    expect(late.at(-1)).toBe('second');
    expect(timers()).toBe(3);
  });

  test('that are taken back never come, and leave no timer behind', async () => {
    const { time, late, add, deadlines, timers } = setUp();
    deadlines.remove(100, add('one'));
    // In the same tick the timer serves the next.
    const two = add('two');
    await Promise.resolve();
    expect(timers()).toBe(1);
    deadlines.remove(100, two);
    deadlines.remove(100, two);
    await Promise.resolve();
    time.increment(1000);
    expect(late).toEqual([]);
    add('three');
    expect(timers()).toBe(2);
    time.increment(100);
    expect(late).toEqual(['three']);
  });

  test('may be added and taken back by one that comes', () => {
    const { time, late, add, deadlines } = setUp();
    const later = { due: undefined as ReturnType<typeof add> | undefined };
    deadlines.add(100, time.now(), () => {
      late.push('first');
      if (later.due !== undefined) deadlines.remove(100, later.due);
      add('third');
    });
    later.due = add('second');
    time.increment(100);
    expect(late).toEqual(['first']);
    time.increment(100);
    expect(late).toEqual(['first', 'third']);
  });
});
