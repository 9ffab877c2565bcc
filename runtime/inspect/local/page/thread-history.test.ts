import { expect, test } from 'vitest';
import { sparkPath } from './spark-line.ts';
import { shownMs, ThreadHistory } from './thread-history.ts';

const pools = (...names: string[]) =>
  [
    {
      threadId: 'p',
      threads: names.map((name, n) => ({ name, n, thread: n + 1, utilization: 0.5, heapUsed: 100 })),
    },
  ] as never;
const counts = (turns: Readonly<Record<string, number>> = {}) =>
  ({ total: 0, handled: 0, turns, wrongLeft: 0 }) as const;

test('the last five minutes of each thread are remembered, and threads that have ended are forgotten', () => {
  const history = new ThreadHistory();
  for (let second = 0; second <= 600; second += 1)
    history.learn({ pools: pools('a', 'b'), counts: counts() }, 1_000_000 + second * 1000);
  expect(history.of('a').length).toBe(shownMs / 1000 + 1);
  expect(history.of('a').at(-1)).toEqual({ at: 1_600_000, busy: 0.5, heap: 100, turns: 0 });
  history.learn({ pools: pools('b'), counts: counts() }, 1_601_000);
  expect(history.of('a')).toEqual([]);
});

test('turns are those of a second, and not those before the page came', () => {
  const history = new ThreadHistory();
  const at = (second: number, turns: Readonly<Record<string, number>>): void =>
    history.learn({ pools: pools('a', 'b'), counts: counts(turns) }, 1000 + second * 1000);
  at(0, { 1: 500 });
  at(1, { 1: 510 });
  at(3, { 1: 510, 2: 20 });
  expect(history.of('a').map(({ turns }) => turns)).toEqual([undefined, 10, 0]);
  expect(history.of('b').map(({ turns }) => turns)).toEqual([undefined, 0, 10]);
});

test('a line ends now, has a gap where nothing is known, and stays within its picture', () => {
  const points = [
    [-1, 5],
    [0, 0],
    [50, 10],
    [60, undefined],
    [90, 5],
    [100, 10],
  ] as const;
  expect(sparkPath(points, { until: 100, ms: 100, most: 10 })).toBe('M0.0,19.0L45.0,1.0M81.0,10.0L90.0,1.0');
});
