import { assign, enqueueActions } from 'xstate';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { altered, state } from './fixtures/altered.ts';
import { SupervisorWorld, type SupervisorPlay } from './fixtures/supervisor-world.ts';
import { walk, walkSimplePaths } from './fixtures/walk.ts';
import { SortedMap } from './sorted-map.ts';
import { supervisorMachine } from './supervisor.ts';

beforeAll(() => {
  // XState for development says it when something is sent to a pool that has closed, as some mutants do.
  vi.spyOn(console, 'warn').mockImplementation(() => {});
});

const plays = {
  'one instance': { addresses: ['p1'], restarts: 2 },
  'two on two pools': { addresses: ['p1', 'q1'] },
  'all-for-one': { addresses: ['p1', 'q1', 'p2'], strategy: 'all-for-one' },
  'rest-for-one': { addresses: ['p1', 'p2', 'p3'], strategy: 'rest-for-one' },
  'all-for-one, a temporary one among them': {
    addresses: ['p1', 'p2', 'p3'],
    temporary: ['p2'],
    strategy: 'all-for-one',
  },
} as const satisfies Record<string, SupervisorPlay>;

/** Every change is tried on paths of a step to three less; the nightly run walks them whole. */
const isWhole = process.env['HOLDFAST_RUNS'] !== undefined;

describe('the supervisor keeps its promises', () => {
  test.each<[keyof typeof plays, depth: number, fewer: number, states: number, paths: number]>([
    ['two on two pools', 8, 3, 1400, 5300],
    ['all-for-one', 7, 1, 3200, 9100],
    ['rest-for-one', 7, 2, 4800, 10_500],
    ['all-for-one, a temporary one among them', 8, 3, 1300, 2700],
  ])('%s: on every path up to a length, in every state there', (name, depth, fewer, states, paths) => {
    const less = isWhole ? 0 : fewer;
    const walked = walk(() => new SupervisorWorld(plays[name]), depth - less);
    expect(walked.wrongs).toEqual([]);
    expect(walked.states).toBeGreaterThanOrEqual(states / 4 ** less);
    expect(walked.paths).toBeGreaterThanOrEqual(paths / 4 ** less);
    const group = name === 'two on two pools' ? [] : ['run', 'down'];
    const steps = ['close', 'done', 'fail', 'forget', 'pass', 'resume', 'stop', 'time', ...group];
    expect(steps.filter((type) => !(type in walked.kinds))).toEqual([]);
  });

  test('one instance: every step in all of its 100 states', () => {
    const { wrongs, complete, states } = walk(() => new SupervisorWorld(plays['one instance']), 20);
    expect([wrongs, complete]).toEqual([[], true]);
    expect(states).toBeGreaterThanOrEqual(100);
  });

  test('and is in the same state whichever of many ways has led there', () => {
    const { wrongs, paths } = walkSimplePaths(
      () => new SupervisorWorld(plays['all-for-one']),
      isWhole ? 4 : 3,
    );
    expect(wrongs).toEqual([]);
    expect(paths).toBeGreaterThan(isWhole ? 100 : 20);
  });
});

describe('the walk finds a supervisor that', () => {
  test.each<[string, typeof supervisorMachine, keyof typeof plays, string]>([
    [
      'remembers nothing',
      altered(supervisorMachine, (chart) => {
        chart.states['running'] = {
          ...state(chart, 'running'),
          always: {
            guard: ({ context }: { context: { failures: SortedMap<string, unknown> } }) =>
              context.failures.size > 0,
            actions: assign({ failures: new SortedMap() }),
          },
        };
      }),
      'two on two pools',
      'decides once: giving-up p1',
    ],
    [
      'restarts those that were forgotten',
      supervisorMachine.provide({ actions: { forget: () => {} } }),
      'one instance',
      'decides nothing about those that were forgotten',
    ],
    [
      'tells no pool when it gives an instance up',
      supervisorMachine.provide({ actions: { escalate: () => {} } }),
      'one instance',
      'escalates once to the pool',
    ],
    [
      'restarts without a place',
      supervisorMachine.provide({
        actions: {
          begin: enqueueActions(({ enqueue }, { address }: { address: string }) => {
            enqueue.emit({ type: 'restarting', address });
          }),
        },
      }),
      'one instance',
      'places whom it restarts',
    ],
    [
      'does not hear that one of a group is down',
      altered(supervisorMachine, (chart) => {
        const running = state(chart, 'running');
        running.on = { ...running.on, 'instance.down': {} };
      }),
      'all-for-one',
      'lets nobody wait for ever',
    ],
    [
      'begins with others when one is gone while it stops',
      altered(supervisorMachine, (chart) => {
        delete state(chart, 'stopping').on?.['instance.forget'];
      }),
      'rest-for-one',
      'decides nothing once it stops',
    ],
    [
      'restarts while it stops',
      altered(supervisorMachine, (chart) => {
        const { on } = state(chart, 'running');
        chart.on = { ...chart.on, 'instance.restart': on?.['instance.restart'] };
      }),
      'two on two pools',
      'decides nothing once it stops',
    ],
    [
      'is over before its pools are',
      supervisorMachine.provide({ guards: { allClosed: () => true } }),
      'two on two pools',
      'is over when it stops and all pools have closed',
    ],
  ])('%s', (_name, mutant, play, promise) => {
    const { wrongs } = walk(() => new SupervisorWorld(plays[play], mutant), 5);
    expect(wrongs.join('\n')).toContain(promise);
  });
});
