import { expect, test } from 'vitest';
import { keptLevels, laidOut } from '../fixtures/elk.ts';
import { LevelCache } from './level-cache.ts';

/** A machine with three states that are alike, each with two in it, one of which has two in it again. */
const inner = { initial: 'x', states: { x: { on: { GO: 'y' } }, y: {} } };
const outer = { initial: 'a', states: { a: inner, b: { on: { GO: 'a' } } } };
const config = { id: 'm', initial: 's1', states: { s1: outer, s2: outer, s3: outer } };

test('levels that are alike are laid out once; what is closed or opened lays out those anew that it is in', async () => {
  const { levels, laid } = keptLevels();
  const whole = await laidOut(config, { levels });
  expect(whole.boxes.size).toBe(16);
  // Of its seven states with others in them.
  expect(laid()).toBe(3);
  const closed = await laidOut(config, { levels, closed: ['m.s2.a'] });
  expect(closed.boxes.size).toBe(14);
  expect(laid()).toBe(5);
  const opened = await laidOut(config, { levels });
  expect(laid()).toBe(5);
  expect(opened.boxes).toEqual(whole.boxes);
  // The other way round there is nothing that it has in common.
  await laidOut(config, { levels, direction: 'DOWN' });
  expect(laid()).toBe(8);
});

test('a level that could not be laid out is tried again', async () => {
  let tries = 0;
  const { kernel } = new LevelCache(async (level) => {
    tries += 1;
    if (tries === 1) throw new Error('it did not load');
    return level;
  });
  await expect(kernel({ id: 'level' })).rejects.toThrow('did not load');
  await expect(kernel({ id: 'level' })).resolves.toEqual({ id: 'level' });
  await kernel({ id: 'level' });
  expect(tries).toBe(2);
});
