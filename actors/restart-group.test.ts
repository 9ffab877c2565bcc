import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  EMPTY_GROUP,
  planDown,
  planDue,
  planFailure,
  planLeave,
  planResume,
  planRunning,
  type Group,
  type GroupPlan,
  type Member,
} from './restart-group.ts';
import type { RestartPolicy, Strategy } from './restart-policy.ts';

const policy = (strategy: Strategy, change: Partial<RestartPolicy> = {}): RestartPolicy => ({
  restart: 'permanent',
  strategy,
  intensity: { restarts: 3, withinMs: 1_000 },
  backoff: { minMs: 100, maxMs: 400, factor: 2, jitter: 0 },
  ...change,
});
const member = (address: string, temporary = false): Member => ({ address, threadId: 'p', temporary });

/** A group of those that run; the log tells what it has done to the world. */
function group(strategy: Strategy, addresses: string, change: Partial<RestartPolicy> = {}, temporary = '') {
  let now: Group = EMPTY_GROUP;
  let log: string[] = [];
  const apply = ({ group: next, effects }: GroupPlan): void => {
    now = next;
    for (const effect of effects) {
      if (effect.kind === 'wait') log.push(`wait ${effect.delayMs}`);
      else if ('member' in effect)
        log.push(
          [effect.kind, effect.member.address, ...('because' in effect ? [effect.because] : [])].join(' '),
        );
      else log.push(`${effect.kind} ${effect.address}`);
    }
  };
  const rules = policy(strategy, change);
  const of = (address: string): Member => member(address, temporary.includes(address));
  const run = (address: string): void => apply(planRunning(now, of(address)));
  for (const address of addresses) run(address);
  return {
    run,
    fail: (address: string, at = 0, reason: 'done' | 'failed' = 'failed') =>
      apply(planFailure(now, of(address), rules, { reason, at, random: 0 })),
    down: (address: string) => apply(planDown(now, address)),
    due: () => apply(planDue(now)),
    leave: (address: string) => apply(planLeave(now, address)),
    resume: (address: string) => apply(planResume(now, address)),
    state: () => now,
    heard: () => {
      const heard = log;
      log = [];
      return heard;
    },
  };
}

describe('all-for-one', () => {
  test('ends the others in reverse start order, and starts all in start order after the backoff, one by one', () => {
    const one = group('all-for-one', 'abc');
    one.fail('b');
    expect(one.heard()).toEqual(['pause c', 'pause a', 'wait 100']);
    one.down('c');
    one.due();
    expect(one.heard()).toEqual([]);
    one.down('a');
    expect(one.heard()).toEqual(['begin a']);
    one.run('a');
    one.run('b');
    one.run('c');
    expect([one.heard(), one.state().round]).toEqual([['begin b', 'begin c'], undefined]);
  });

  test('waits for the backoff when all are down before', () => {
    const one = group('all-for-one', 'ab');
    one.fail('a');
    one.down('b');
    expect(one.heard()).toEqual(['pause b', 'wait 100']);
    one.due();
    expect(one.heard()).toEqual(['begin a']);
  });

  test('counts once what dies together', () => {
    const one = group('all-for-one', 'abc');
    one.fail('a');
    one.fail('b');
    one.fail('c');
    one.due();
    expect(one.heard()).toEqual(['pause c', 'pause b', 'wait 100', 'begin a']);
    expect(one.state().history?.restarts).toEqual([0]);
  });

  test('a failure while they are started ends those that run already, and starts anew with all', () => {
    const one = group('all-for-one', 'abc');
    one.fail('a');
    for (const address of 'bc') one.down(address);
    one.due();
    one.run('a');
    one.heard();
    one.fail('b', 50);
    expect(one.heard()).toEqual(['pause a', 'wait 200']);
    one.down('a');
    one.due();
    for (const address of 'abc') one.run(address);
    expect(one.heard()).toEqual(['begin a', 'begin b', 'begin c']);
  });

  test('counts the restarts of the group: N are allowed, one more quarantines all of it', () => {
    const one = group('all-for-one', 'ab', { intensity: { restarts: 2, withinMs: 1_000 } });
    for (const [address, at] of [
      ['a', 0],
      ['b', 999],
    ] as const) {
      one.fail(address, at);
      one.down(address === 'a' ? 'b' : 'a');
      one.due();
      for (const each of 'ab') one.run(each);
    }
    expect(one.heard()).not.toContain('give-up a');
    one.fail('a', 999);
    expect(one.heard()).toEqual(['give-up a', 'give-up b a']);
    one.down('b');
    expect([one.state().round, one.state().quarantined.keys(), one.heard()]).toEqual([
      undefined,
      ['a', 'b'],
      [],
    ]);
  });

  test('when the window has just passed, one more is allowed', () => {
    const one = group('all-for-one', 'a', { intensity: { restarts: 1, withinMs: 1_000 } });
    one.fail('a', 0);
    one.due();
    one.run('a');
    one.fail('a', 1_000);
    expect(one.heard()).toEqual(['wait 100', 'begin a', 'wait 100']);
  });

  test('resume of one begins anew with all that were quarantined together, in start order, with a clean history', () => {
    const one = group('all-for-one', 'abc', { intensity: { restarts: 0, withinMs: 1_000 } });
    one.fail('b');
    one.heard();
    one.down('c');
    one.resume('c');
    expect(one.heard()).toEqual([]);
    one.down('a');
    expect(one.heard()).toEqual(['begin a']);
    for (const address of 'abc') one.run(address);
    expect([one.heard(), one.state()]).toMatchObject([
      ['begin b', 'begin c'],
      { quarantined: { size: 0 }, history: undefined, round: undefined },
    ]);
  });

  test('resume of one that is not quarantined does nothing', () => {
    const one = group('all-for-one', 'ab');
    one.resume('a');
    expect([one.heard(), one.state().round]).toEqual([[], undefined]);
  });

  test('a temporary sibling is ended and not started again', () => {
    const one = group('all-for-one', 'abc', {}, 'b');
    one.fail('a');
    expect(one.heard()).toEqual(['pause c', 'stop b', 'wait 100']);
    one.leave('b');
    one.down('c');
    one.due();
    for (const address of 'ac') one.run(address);
    expect(one.heard()).toEqual(['begin a', 'begin c']);
  });

  test.each([
    ['temporary', 'failed'],
    ['transient', 'done'],
  ] as const)('leaves the others alone when a %s one is %s', (restart, reason) => {
    const one = group('all-for-one', 'ab', { restart });
    one.fail('a', 0, reason);
    expect([one.heard(), one.state().round]).toEqual([['end a'], undefined]);
  });

  test('one that is done while it is ended has ended, and the others go on without it', () => {
    const one = group('all-for-one', 'ab', { restart: 'transient' });
    one.fail('a');
    one.fail('b', 0, 'done');
    one.leave('b');
    one.due();
    expect(one.heard()).toEqual(['pause b', 'wait 100', 'end b', 'begin a']);
    one.run('a');
    expect(one.state().round).toBeUndefined();
  });

  test('one that is stopped meanwhile is not waited for', () => {
    const one = group('all-for-one', 'abc');
    one.fail('a');
    one.due();
    one.leave('b');
    one.down('c');
    one.heard();
    one.leave('a');
    expect(one.heard()).toEqual(['begin c']);
  });
});

describe('rest-for-one', () => {
  test('ends and starts those that were started after it, and leaves those before it alone', () => {
    const one = group('rest-for-one', 'abcd');
    one.fail('b');
    expect(one.heard()).toEqual(['pause d', 'pause c', 'wait 100']);
    for (const address of 'cd') one.down(address);
    one.due();
    for (const address of 'bcd') one.run(address);
    expect(one.heard()).toEqual(['begin b', 'begin c', 'begin d']);
  });

  test('an earlier one that fails meanwhile takes the others with it that run, and all start in order', () => {
    const one = group('rest-for-one', 'abc');
    one.fail('c');
    one.fail('a');
    expect(one.heard()).toEqual(['wait 100', 'pause b', 'wait 200']);
    one.down('b');
    one.due();
    for (const address of 'abc') one.run(address);
    expect(one.heard()).toEqual(['begin a', 'begin b', 'begin c']);
  });

  test('quarantines those after it with it; those before it go on, with a clean history', () => {
    const one = group('rest-for-one', 'abc', { intensity: { restarts: 0, withinMs: 1_000 } });
    one.fail('b');
    expect(one.heard()).toEqual(['give-up b', 'give-up c b']);
    one.down('c');
    expect(one.state()).toMatchObject({ history: undefined, round: undefined });
    expect(one.state().quarantined.keys()).toEqual(['b', 'c']);
  });

  test('one that is quarantined is not started with an earlier one that fails', () => {
    const one = group('rest-for-one', 'abc', { intensity: { restarts: 1, withinMs: 50 } });
    one.fail('c', 0);
    one.due();
    one.run('c');
    one.fail('c', 49);
    one.heard();
    one.fail('a', 500);
    one.down('b');
    one.due();
    for (const address of 'ab') one.run(address);
    expect(one.heard()).toEqual(['pause b', 'wait 100', 'begin a', 'begin b']);
  });
});

describe('any life of a group', () => {
  type State =
    | 'runs'
    | 'failed'
    | 'ending'
    | 'down'
    | 'starting'
    | 'quarantined'
    | 'quarantined, ending'
    | 'gone';

  /** Carries effects out, and says what is wrong with one. */
  class World {
    readonly states = new Map<string, State>();
    readonly wrongs: string[] = [];
    now: Group = EMPTY_GROUP;
    waiting = false;

    apply({ group: next, effects }: GroupPlan): void {
      this.now = next;
      for (const effect of effects) {
        if (effect.kind === 'wait') {
          this.waiting = true;
          continue;
        }
        const address = 'member' in effect ? effect.member.address : effect.address;
        const state = this.states.get(address) as State;
        const wrong = (why: string): void =>
          void this.wrongs.push(`${effect.kind} ${address} (${state}): ${why}`);
        if (effect.kind === 'pause') {
          if (state !== 'runs' && state !== 'starting') wrong('it is not up');
          this.states.set(address, 'ending');
        } else if (effect.kind === 'begin') {
          if (state !== 'down' && state !== 'failed' && state !== 'quarantined') wrong('it is not down');
          if (this.waiting) wrong('the backoff is not over');
          for (const [other, its] of this.states) {
            if (its === 'ending' || its === 'quarantined, ending') wrong(`${other} is not down`);
            if (its === 'starting') wrong(`${other} is not up`);
            const before = this.now.members.orderOf(other) ?? -1;
            const mine = this.now.members.orderOf(address) ?? -1;
            if ((its === 'down' || its === 'failed') && before < mine) wrong(`${other} comes before`);
          }
          this.states.set(address, 'starting');
        } else if (effect.kind === 'give-up') {
          const up = !['failed', 'down', 'quarantined'].includes(state);
          this.states.set(
            address,
            up && effect.because !== undefined ? 'quarantined, ending' : 'quarantined',
          );
        } else if (effect.kind === 'end') {
          this.states.set(address, 'gone');
          this.apply(planLeave(this.now, address));
        } else wrong('nobody is temporary');
      }
    }

    of(...wanted: readonly State[]): string[] {
      return [...this.states].flatMap(([address, state]) => (wanted.includes(state) ? [address] : []));
    }
  }

  const steps = fc.array(
    fc.record({
      kind: fc.constantFrom(
        'spawn',
        'fail',
        'fail',
        'down',
        'down',
        'run',
        'run',
        'due',
        'leave',
        'resume',
        'pass',
      ),
      pick: fc.nat(20),
    }),
    { maxLength: 60, size: 'max' },
  );

  test.each(['all-for-one', 'rest-for-one'] as const)(
    '%s: starts in order and one by one, only those that are down; and in the end all run that are not quarantined',
    (strategy) => {
      fc.assert(
        fc.property(steps, fc.integer({ min: 0, max: 3 }), (life, restarts) => {
          const world = new World();
          const rules = policy(strategy, { intensity: { restarts, withinMs: 300 } });
          let [at, spawned] = [0, 0];
          const act = (kind: string, pick: number): void => {
            const one = (...wanted: readonly State[]): string | undefined => {
              const found = world.of(...wanted);
              return found[pick % Math.max(1, found.length)];
            };
            const set = (address: string, state: State, plan: (now: Group) => GroupPlan): void => {
              world.states.set(address, state);
              world.apply(plan(world.now));
            };
            if (kind === 'spawn') {
              const address = `i${(spawned += 1)}`;
              set(address, 'runs', (now) => planRunning(now, member(address)));
            } else if (kind === 'due') {
              world.waiting = false;
              world.apply(planDue(world.now));
            } else if (kind === 'pass') at += pick * 10;
            const target =
              kind === 'fail'
                ? one('runs', 'starting', 'ending')
                : kind === 'down'
                  ? one('ending', 'quarantined, ending')
                  : kind === 'run'
                    ? one('starting')
                    : kind === 'leave'
                      ? one('runs', 'starting', 'ending', 'down', 'failed', 'quarantined')
                      : kind === 'resume'
                        ? one('quarantined')
                        : undefined;
            if (target === undefined) return;
            if (kind === 'fail')
              set(target, 'failed', (now) =>
                planFailure(now, member(target), rules, { reason: 'failed', at, random: 0 }),
              );
            else if (kind === 'down')
              set(target, world.states.get(target) === 'ending' ? 'down' : 'quarantined', (now) =>
                planDown(now, target),
              );
            else if (kind === 'run') set(target, 'runs', (now) => planRunning(now, member(target)));
            else if (kind === 'leave') set(target, 'gone', (now) => planLeave(now, target));
            else world.apply(planResume(world.now, target));
          };
          for (const { kind, pick } of life) act(kind, pick);
          // However it lived, when all is done that is under way, nobody is left behind.
          for (let i = 0; i < 40; i++) for (const kind of ['down', 'due', 'run']) act(kind, 0);
          expect(world.wrongs).toEqual([]);
          expect(world.of('failed', 'ending', 'down', 'starting', 'quarantined, ending')).toEqual([]);
          expect(world.now.round).toBeUndefined();
          expect(new Set(world.now.quarantined.keys())).toEqual(new Set(world.of('quarantined')));
          const alive = world.of('runs', 'quarantined');
          expect(new Set(world.now.members.values().map(({ address }) => address))).toEqual(new Set(alive));
        }),
        { numRuns: 500 },
      );
    },
  );
});
