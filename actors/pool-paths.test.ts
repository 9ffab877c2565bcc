import { assign } from 'xstate';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { altered, state } from './fixtures/altered.ts';
import { PoolWorld, type PoolPlay } from './fixtures/pool-world.ts';
import { walk, walkSimplePaths } from './fixtures/walk.ts';
import { FEWEST } from './placement.ts';
import { poolMachine } from './pool.ts';

beforeAll(() => {
  // XState for development says it when something is sent to a thread that is over, as some mutants do.
  vi.spyOn(console, 'warn').mockImplementation(() => {});
});

const two = { a: FEWEST, b: FEWEST } as const;
const every = { a: FEWEST, b: { kind: 'exclusive' }, c: { kind: 'key', key: '1' } } as const;

const plays = {
  'of one thread': { wishes: two },
  'of two threads, for instances with different wishes': { maxThreads: 2, minThreads: 1, wishes: every },
  'whose threads do not start, and whose instances fail': {
    maxThreads: 2,
    wishes: { a: FEWEST, b: { kind: 'exclusive' } },
    only: ['place', 'ready', 'fail', 'exit', 'escalation', 'time'],
  },
  'whose threads are replaced': {
    maxThreads: 2,
    wishes: two,
    only: ['place', 'ready', 'recycle', 'move', 'release', 'vacated', 'exit', 'time'],
  },
  'that stops': {
    maxThreads: 2,
    minThreads: 2,
    wishes: two,
    only: ['place', 'ready', 'fail', 'exit', 'stop', 'time'],
  },
} as const satisfies Record<string, PoolPlay>;

/** Every change is tried on paths of a step to three less; the nightly run walks them whole. */
const isWhole = process.env['HOLDFAST_RUNS'] !== undefined;

describe('a pool with its threads keeps its promises', () => {
  test.each<[keyof typeof plays, depth: number, fewer: number, states: number, paths: number]>([
    ['of one thread', 7, 3, 1900, 7500],
    ['of two threads, for instances with different wishes', 4, 1, 1370, 2800],
    ['whose threads do not start, and whose instances fail', 7, 3, 3200, 8700],
    ['whose threads are replaced', 7, 2, 2200, 8800],
    ['that stops', 5, 2, 1700, 4000],
  ])('%s: on every path up to a length, in every state there', (name, depth, fewer, states, paths) => {
    const less = isWhole ? 0 : fewer;
    const walked = walk(() => new PoolWorld(plays[name]), depth - less);
    expect(walked.wrongs).toEqual([]);
    expect(walked.states).toBeGreaterThanOrEqual(states / 4 ** less);
    expect(walked.paths).toBeGreaterThanOrEqual(paths / 4 ** less);
    const { only = [] }: PoolPlay = plays[name];
    expect(only.filter((type) => !(type in walked.kinds))).toEqual([]);
  });

  const simple: PoolPlay = {
    wishes: { a: FEWEST },
    only: ['place', 'release', 'ready', 'fail', 'exit', 'time', 'stop'],
  };
  test('and is in the same state whichever of many ways has led there', () => {
    const { wrongs, paths } = walkSimplePaths(() => new PoolWorld(simple), isWhole ? 5 : 4);
    expect(wrongs).toEqual([]);
    expect(paths).toBeGreaterThan(isWhole ? 4900 : 130);
  });
});

const deaf =
  (...events: string[]) =>
  (chart: { on?: Record<string, unknown> }): void => {
    for (const event of events) (chart.on ??= {})[event] = {};
  };

describe('the walk finds a pool that', () => {
  test.each<[string, typeof poolMachine, keyof typeof plays, string]>([
    [
      'starts more threads than it may',
      altered(poolMachine, (chart) => (chart.entry = assign({ maxThreads: 2 }))),
      'of one thread',
      'never has more than maxThreads threads',
    ],
    [
      'puts instances on threads that fail, where they are lost',
      altered(poolMachine, deaf('thread.failing')),
      'of one thread',
      'lets those wait that it neither hosts nor refuses',
    ],
    [
      'does not see that there is room again',
      altered(poolMachine, deaf('thread.exited')),
      'of one thread',
      'lets nobody wait while there is room',
    ],
    [
      'forgets whom it has no room for',
      altered(poolMachine, (chart) => deaf('place')(state(chart, 'open'))),
      'of one thread',
      'lets those wait that it neither hosts nor refuses',
    ],
    [
      'retires threads too soon',
      poolMachine.provide({ delays: { idleTimeout: 29 } }),
      'of one thread',
      'retires idle threads',
    ],
    [
      'does not retire threads',
      altered(poolMachine, (chart) => deaf('thread.idle')(state(chart, 'open'))),
      'of one thread',
      'has a timer for each idle thread',
    ],
    [
      'allows one strike more',
      altered(poolMachine, (chart) => {
        chart.entry = assign({ intensity: { restarts: 2, withinMs: 70 } });
      }),
      'whose threads do not start, and whose instances fail',
      'tells that it is exhausted, once',
    ],
    [
      'forgives too late',
      poolMachine.provide({ delays: { window: 71 } }),
      'whose threads do not start, and whose instances fail',
      'forgives a strike when the window has passed',
    ],
    [
      'closes while a thread is alive',
      poolMachine.provide({ guards: { empty: () => true } }),
      'that stops',
      'closes once, with the last exit',
    ],
    [
      'does not have its threads leave',
      altered(poolMachine, (chart) => {
        const open = state(chart, 'open');
        open.on = { ...open.on, stop: 'closing' };
      }),
      'that stops',
      'when it stops, has everybody leave',
    ],
  ])('%s', (_name, mutant, play, promise) => {
    const { wrongs } = walk(() => new PoolWorld(plays[play], mutant), 4);
    expect(wrongs.join('\n')).toContain(promise);
  });
});
