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
const instance = (address: string, thread: number, handled: number) =>
  ({ address, thread, handled }) as never;

test('the last five minutes of each thread are remembered, and threads that have ended are forgotten', () => {
  const history = new ThreadHistory();
  for (let second = 0; second <= 600; second += 1)
    history.learn({ pools: pools('a', 'b'), instances: [] }, 1_000_000 + second * 1000);
  expect(history.of('a').length).toBe(shownMs / 1000 + 1);
  expect(history.of('a').at(-1)).toEqual({ at: 1_600_000, busy: 0.5, heap: 100, turns: 0 });
  history.learn({ pools: pools('b'), instances: [] }, 1_601_000);
  expect(history.of('a')).toEqual([]);
});

test('turns are those of a second, and neither those before an instance was seen nor lost ones of a restart', () => {
  const history = new ThreadHistory();
  const at = (second: number, ...handled: [string, number, number][]): void =>
    history.learn(
      { pools: pools('a', 'b'), instances: handled.map((one) => instance(...one)) },
      1000 + second * 1000,
    );
  at(0, ['x/1', 1, 500]);
  at(1, ['x/1', 1, 510], ['x/2', 1, 900]);
  at(3, ['x/1', 2, 530], ['x/2', 1, 4]);
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
