import { expect, test } from 'vitest';
import { Ending } from './ending.ts';

test('an ending tells each listener once, with its first reason, and none that was taken off', () => {
  const ending = new Ending();
  const heard: unknown[] = [];
  const hear = (): void => void heard.push(ending.reason);
  const off = (): void => void heard.push('off');
  ending.onEnd(hear);
  ending.onEnd(off);
  ending.offEnd(off);
  expect(ending.ended).toBe(false);
  ending.throwIfEnded();
  ending.end('first');
  ending.end('second');
  expect([ending.ended, ending.reason, heard]).toEqual([true, 'first', ['first']]);
  expect(() => ending.throwIfEnded()).toThrow('first');
  ending.onEnd(hear);
  expect(heard).toHaveLength(1);
});

test('the signal of an ending aborts with it, whether it was asked for before or after', () => {
  const [before, after] = [new Ending(), new Ending()];
  const { signal } = before;
  expect(signal.aborted).toBe(false);
  expect(before.signal).toBe(signal);
  for (const ending of [before, after]) ending.end(new RangeError('over'));
  expect([signal.aborted, after.signal.aborted]).toEqual([true, true]);
  expect([signal.reason, after.signal.reason]).toEqual([before.reason, after.reason]);
});

test('a listener hears of the end when the signal has aborted', () => {
  const ending = new Ending();
  const { signal } = ending;
  let seen: boolean | undefined;
  ending.onEnd(() => (seen = signal.aborted));
  ending.end('over');
  expect(seen).toBe(true);
});
