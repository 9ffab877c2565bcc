import { expect, test } from 'vitest';
import type { InstanceStatus, RuntimeStatus } from '../../telling/status.ts';
import { mostWrong, PageFigures, type InstanceCounts } from './page-figures.ts';

const instance = (n: number, more: Partial<InstanceStatus> = {}): InstanceStatus => ({
  address: `a/${n}`,
  agent: 'a',
  threadId: 'p',
  thread: 1,
  incarnation: 1,
  restarts: 0,
  state: 'running',
  handled: 0,
  mailbox: 0,
  capacity: 10,
  ...more,
});
const status = (instances: readonly InstanceStatus[]): RuntimeStatus =>
  ({ state: 'running', pools: [{ threads: [{ thread: 1 }, { thread: 2 }] }], instances }) as never;
const told = (figures: object) =>
  figures as {
    readonly state: string;
    readonly counts: InstanceCounts;
    readonly instances: InstanceStatus[];
  };

test('of 10,000 instances a page is told those that it shows, and counts', () => {
  const all = Array.from({ length: 10_000 }, (_, n) => instance(n, { handled: 2 }));
  const { state, counts, instances } = told(new PageFigures().of(status(all), new Set(['a/7', 'gone/1'])));
  expect(state).toBe('running');
  expect(counts).toEqual({ total: 10_000, handled: 20_000, turns: {}, wrongLeft: 0 });
  expect(instances.map(({ address }) => address)).toEqual(['a/7']);
});

test('what is wrong is told, the worst of it; the rest is counted', () => {
  const failure = (at: number) => ({ cause: 'error', at }) as never;
  const all = [
    ...Array.from({ length: mostWrong }, (_, n) => instance(n, { failure: failure(n) })),
    instance(1000),
    instance(1001, { mailbox: 10 }),
    instance(1002, { state: 'restarting' }),
    instance(1003, { state: 'quarantined' }),
  ];
  const { counts, instances } = told(new PageFigures().of(status(all), new Set()));
  expect(instances.slice(0, 3).map(({ address }) => address)).toEqual([
    'a/1003',
    'a/1002',
    `a/${mostWrong - 1}`,
  ]);
  expect(instances).toHaveLength(mostWrong);
  expect(counts.wrongLeft).toBe(3);
});

test('turns are counted on the thread that an instance has, and none twice, however many pages ask', () => {
  const figures = new PageFigures();
  const turns = (now: RuntimeStatus): object => told(figures.of(now, new Set())).counts.turns;
  expect(turns(status([instance(1, { handled: 500 })]))).toEqual({});
  const next = status([instance(1, { handled: 510 }), instance(2, { handled: 900 })]);
  expect([turns(next), turns(next)]).toEqual([{ 1: 10 }, { 1: 10 }]);
  // Moved, and begun anew.
  expect(turns(status([instance(1, { thread: 2, handled: 530 }), instance(2, { handled: 4 })]))).toEqual({
    1: 10,
    2: 20,
  });
});
