import { expect, test } from 'vitest';
import { Standstill } from './standstill.ts';
import { createProgress } from '../wire/progress.ts';

function rig(seen = 0) {
  const progress = createProgress();
  const time = { now: 0 };
  const pings: (() => void)[] = [];
  const open = () =>
    new Standstill({
      clock: { now: () => time.now },
      progress,
      ping: () => new Promise<void>((resolve) => pings.push(resolve)),
      seen: () => seen,
    });
  return { progress, time, pings, open };
}

test('one turn that goes on counts from its beginning, as far as the watchdog has seen it', () => {
  const { progress, time, open } = rig(700);
  progress.begin(0);
  const standstill = open();
  time.now = 100;
  expect(standstill.look()).toBe(800);
  progress.end(0);
  progress.begin(0);
  expect(standstill.look()).toBe(0);
  time.now = 200;
  expect(standstill.look()).toBe(100);
});

test('outside of turns it counts while a ping has no answer', async () => {
  const { time, pings, open } = rig();
  const standstill = open();
  time.now = 100;
  expect(standstill.look()).toBe(100);
  pings.shift()?.();
  await Promise.resolve();
  time.now = 200;
  expect(standstill.look()).toBe(0);
  time.now = 300;
  expect(standstill.look()).toBe(100);
});

test('time in which the host itself was late does not count', () => {
  const { progress, time, open } = rig();
  progress.begin(0);
  const standstill = open();
  time.now = 5000;
  expect(standstill.look()).toBe(0);
  time.now = 5100;
  expect(standstill.look()).toBe(100);
});
