import { assign } from 'xstate';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { altered, state } from './fixtures/altered.ts';
import { ThreadWorld } from './fixtures/thread-world.ts';
import { walk, walkSimplePaths } from './fixtures/walk.ts';
import { threadMachine } from './thread.ts';

beforeAll(() => {
  // XState for development says it when a worker is told something that has broken.
  vi.spyOn(console, 'warn').mockImplementation(() => {});
});

/** The nightly run walks to all of its states. */
const isWhole = process.env['HOLDFAST_RUNS'] !== undefined;
/** Whole: more steps than it takes to get to any state of a thread. */
const DEPTH = isWhole ? 24 : 5;

describe('a thread, whatever happens to it in whatever order,', () => {
  test('keeps its promises on every path, to all its states in the nightly run', () => {
    const { states, paths, complete, wrongs, kinds } = walk(() => new ThreadWorld(), DEPTH);
    expect(wrongs).toEqual([]);
    expect(complete).toBe(isWhole);
    expect(states).toBeGreaterThan(isWhole ? 1300 : 200);
    expect(paths).toBeGreaterThan(isWhole ? 7000 : 800);
    expect(Object.keys(kinds)).toHaveLength(10);
  });

  test('is in the same state whichever of many ways has led there', () => {
    const { paths, wrongs } = walkSimplePaths(() => new ThreadWorld(), isWhole ? 6 : 5);
    expect(wrongs).toEqual([]);
    expect(paths).toBeGreaterThan(isWhole ? 1000 : 200);
  });
});

describe('the walk finds a thread that', () => {
  test.each([
    [
      'need not end when it is replaced by force',
      threadMachine.provide({ guards: { isForced: () => false } }),
      'says "hurry", and not "stay,thread.ready"',
    ],
    [
      'is terminated and not given up',
      altered(threadMachine, (chart) => delete state(chart, 'failed').after),
      'has a timer for whatever must come to an end',
    ],
    [
      'ends with those that are left, and does not stop them',
      altered(threadMachine, (chart) => delete state(chart, 'leaving').entry),
      'says "thread.failing,wind-down", and not "thread.failing"',
    ],
    [
      'waits for ever for those that are to stop',
      altered(threadMachine, (chart) => delete state(chart, 'leaving').after),
      'has a timer for whatever must come to an end',
    ],
    [
      'has the last cause and not the first',
      altered(threadMachine, (chart) => {
        state(chart, 'failed').on = { 'worker.failed': { actions: 'rememberFailure' } };
      }),
      'says "thread.exited error", and not "thread.exited oom"',
    ],
    [
      'still hosts while it leaves',
      altered(threadMachine, (chart) => {
        state(chart, 'ending').on = { host: { actions: 'tellHost' } };
      }),
      'says "", and not "host a"',
    ],
    [
      'is over before its worker is',
      altered(threadMachine, (chart) => {
        state(chart, 'failed').after = { terminateTimeout: 'exited' };
      }),
      'lives exactly as long as its worker',
    ],
    [
      'takes what breaks at its first word for what could not be made',
      threadMachine.provide({ actions: { rememberTold: assign({}) } }),
      'lives exactly as long as its worker',
    ],
  ])('%s', (_name, mutant, broken) => {
    const { wrongs } = walk(() => new ThreadWorld(mutant), 5);
    expect(wrongs.join('\n')).toContain(broken);
  });
});
