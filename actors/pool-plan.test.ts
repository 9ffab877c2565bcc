import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  planClosing,
  planEnd,
  planConfigured,
  planExit,
  planFailing,
  planForgiven,
  planMinimum,
  planOverdue,
  planPlacement,
  planPlacements,
  planReady,
  planRecycling,
  planRelease,
  planRetirement,
  planStrike,
  planStuck,
  type PoolContext,
  type PoolEffect,
  type PoolPlan,
} from './pool-plan.ts';
import { HEALTHY } from './pool-health.ts';
import { choosePlacement, numberOf, type PlacementRule } from './placement.ts';
import type { ThreadCause } from './thread.ts';
import { wantOf, WaitingList } from './waiting-list.ts';

const pool = (change: Partial<PoolContext> = {}): PoolContext => ({
  threadId: 'p',
  maxThreads: 2,
  minThreads: 0,
  idleTimeoutMs: 60_000,
  startTimeoutMs: 10_000,
  intensity: { restarts: 1_000, withinMs: 60_000 },
  ...HEALTHY,
  threads: [],
  waiting: new WaitingList(),
  peak: 0,
  started: 0,
  ended: {},
  ...change,
});

/** Each step gets the context the one before it led to; all effects, in order. */
function run(context: PoolContext, ...steps: ((now: PoolContext) => PoolPlan)[]): PoolPlan {
  const effects: PoolEffect[] = [];
  let now = context;
  for (const step of steps) {
    const plan = step(deepFreeze(now));
    now = plan.context;
    effects.push(...plan.effects);
  }
  return { context: now, effects };
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}

const endOf = (n: number) => (now: PoolContext) => planEnd(now, n);

const place = (address: string, rule?: PlacementRule) => (now: PoolContext) =>
  planPlacement(now, address, rule);
const ready = (n: number) => (now: PoolContext) => planReady(now, n);
const release = (n: number) => (now: PoolContext) => planRelease(now, n);
const retire = (n: number) => (now: PoolContext) => planRetirement(now, n);
const failing = (n: number) => (now: PoolContext) => planFailing(now, n);
const exit = (n: number, cause: ThreadCause) => (now: PoolContext) => planExit(now, n, cause);
const of = ({ effects }: PoolPlan, kind: PoolEffect['kind']) => effects.filter((e) => e.kind === kind);
const hosted = (plan: PoolPlan) => plan.effects.flatMap((e) => (e.kind === 'host' ? [[e.address, e.n]] : []));
const waiting = ({ context }: PoolPlan) => context.waiting.values().map(({ address }) => address);
const threads = ({ context }: PoolPlan) => context.threads.map(({ n, state, owned }) => [n, state, owned]);

describe('a plan of the pool', () => {
  test('starts the minimum of threads, once', () => {
    const plan = run(pool({ maxThreads: 4, minThreads: 3 }), planMinimum, planMinimum);
    expect(plan.effects).toEqual([1, 2, 3].map((n) => ({ kind: 'start', n })));
    expect([plan.context.started, plan.context.peak]).toEqual([3, 3]);
  });

  test('keeps the minimum: a thread that is gone is replaced at once, unless the pool closes', () => {
    const two = run(pool({ maxThreads: 3, minThreads: 2 }), planMinimum, ready(1), ready(2));
    const again = run(two.context, failing(1), exit(1, 'oom'));
    expect(threads(again)).toEqual([
      [2, 'ready', 0],
      [1, 'starting', 0],
    ]);
    const closing = run(two.context, planClosing, exit(1, 'shutdown'));
    expect(of(closing, 'start')).toEqual([]);
  });

  test('tries a start of the minimum that failed again when its strike is forgotten, not at once', () => {
    const failed = run(pool({ minThreads: 2 }), planMinimum, exit(1, 'error'), exit(2, 'error'));
    expect(of(failed, 'start')).toHaveLength(2);
    const again = run(failed.context, planForgiven);
    expect(of(again, 'start')).toEqual([1, 2].map((n) => ({ kind: 'start', n })));
  });

  test('keeps the minimum one thread at a time after it was exhausted', () => {
    const context = pool({ minThreads: 2, intensity: { restarts: 1, withinMs: 60_000 } });
    const failed = run(context, planMinimum, exit(1, 'error'), exit(2, 'error'));
    expect(failed.context.health).toBe('exhausted');
    expect(of(run(failed.context, planForgiven), 'start')).toEqual([]);
    const tried = run(failed.context, planForgiven, planForgiven);
    expect([of(tried, 'start'), tried.context.health]).toEqual([[{ kind: 'start', n: 1 }], 'half-open']);
    expect(of(run(tried.context, ready(1)), 'start')).toEqual([{ kind: 'start', n: 2 }]);
  });

  test('starts the thread before it hosts on it, and takes it out of the idle watch', () => {
    expect(planPlacement(pool(), 'a/1').effects).toEqual([
      { kind: 'start', n: 1 },
      { kind: 'unwatch-idle', n: 1 },
      { kind: 'host', n: 1, address: 'a/1' },
    ]);
  });

  test('watches a thread for idleness when it is ready or released with nothing on it', () => {
    expect(run(pool({ minThreads: 1 }), planMinimum, ready(1)).effects.at(-1)).toEqual({
      kind: 'watch-idle',
      n: 1,
    });
    const busy = run(pool(), place('a/1'), ready(1));
    expect(of(busy, 'watch-idle')).toEqual([]);
    expect(planRelease(busy.context, 1).effects).toEqual([{ kind: 'watch-idle', n: 1 }]);
  });

  test('does not watch a thread that is still starting, leaving or half full', () => {
    const steps = [place('a/1'), release(1)];
    expect(of(run(pool(), ...steps), 'watch-idle')).toEqual([]);
    const shared = run(pool({ maxThreads: 1 }), place('a/1'), place('a/2'), ready(1), release(1));
    expect(of(shared, 'watch-idle')).toEqual([]);
    expect(of(run(pool(), place('a/1'), ready(1), failing(1), release(1)), 'watch-idle')).toEqual([]);
  });

  test('retires an idle thread, unless it owns somebody, has not started or the minimum needs it', () => {
    const idle = run(pool(), place('a/1'), ready(1), release(1));
    const retired = planRetirement(idle.context, 1);
    expect(retired.effects).toEqual([{ kind: 'leave', n: 1, cause: 'retired' }]);
    expect(threads(retired)).toEqual([[1, 'leaving', 0]]);
    expect(planRetirement(retired.context, 1).effects).toEqual([]);
    expect(run(pool(), place('a/1'), ready(1), retire(1)).effects.at(-1)?.kind).toBe('host');
    expect(of(run(pool(), place('a/1'), release(1), retire(1)), 'leave')).toEqual([]);
    expect(of(run(pool({ minThreads: 1 }), planMinimum, ready(1), retire(1)), 'leave')).toEqual([]);
  });

  test('watches an idle thread that the minimum needed anew, when there is one thread more', () => {
    const spared = run(pool({ minThreads: 1 }), planMinimum, ready(1), retire(1));
    expect(of(spared, 'watch-idle')).toHaveLength(1);
    const more = run(spared.context, place('a/1', { kind: 'key', key: '1' }));
    expect(of(more, 'watch-idle')).toEqual([{ kind: 'watch-idle', n: 1 }]);
    expect(of(run(more.context, retire(1)), 'leave')).toEqual([{ kind: 'leave', n: 1, cause: 'retired' }]);
  });

  test('a failing thread is not watched, and does not count towards the minimum that must stay', () => {
    const alone = run(pool({ minThreads: 1 }), planMinimum, ready(1));
    expect(planFailing(alone.context, 1).effects).toEqual([{ kind: 'unwatch-idle', n: 1 }]);
    const two = run(pool({ minThreads: 1 }), place('a/1'), place('a/2'), ready(1), ready(2), release(1));
    expect(of(run(two.context, failing(2), retire(1)), 'leave')).toEqual([]);
    expect(of(run(two.context, retire(1)), 'leave')).toHaveLength(1);
  });

  test('those who wait are placed in order when a thread has exited, and not before', () => {
    const full = run(pool({ maxThreads: 1 }), place('a/1'), ready(1), failing(1), place('a/2'), place('a/3'));
    expect(hosted(full)).toEqual([['a/1', 1]]);
    expect(waiting(full)).toEqual(['a/2', 'a/3']);
    expect(full.effects.slice(-2)).toEqual([
      { kind: 'watch-wait', address: 'a/2' },
      { kind: 'watch-wait', address: 'a/3' },
    ]);
    const after = run(full.context, release(1), exit(1, 'oom'));
    expect(hosted(after)).toEqual([
      ['a/2', 1],
      ['a/3', 1],
    ]);
    expect(after.effects.slice(0, 2).map(({ kind }) => kind)).toEqual(['unwatch-idle', 'forget']);
    expect(threads(after)).toEqual([[1, 'starting', 2]]);
    expect([waiting(after), after.context.ended]).toEqual([[], { oom: 1 }]);
    expect(of(after, 'unwatch-wait')).toHaveLength(2);
  });

  test('a release too many counts no thread below zero, and one for a thread that is gone is ignored', () => {
    const plan = run(pool(), place('a/1'), ready(1), release(1), release(1), release(2), place('a/2'));
    expect(threads(plan)).toEqual([[1, 'ready', 1]]);
  });

  test('the peak is remembered when fewer threads are alive, and how they ended is counted', () => {
    const three = run(pool({ maxThreads: 3 }), place('a/1'), place('a/2'), place('a/3'));
    const one = run(three.context, exit(3, 'exit'), exit(2, 'exit'), exit(1, 'error'), place('a/4'));
    const { peak, started, ended } = one.context;
    expect({ peak, started, ended }).toEqual({ peak: 3, started: 4, ended: { exit: 2, error: 1 } });
  });

  test('closing tells everybody to leave and lets nobody wait', () => {
    const full = run(pool({ maxThreads: 1 }), place('a/1'), failing(1), place('a/2'));
    const closing = planClosing(full.context);
    expect(closing.effects).toEqual([
      { kind: 'unwatch-wait', address: 'a/2' },
      { kind: 'leave', n: 1, cause: 'shutdown' },
    ]);
    expect([threads(closing), waiting(closing)]).toEqual([[[1, 'leaving', 1]], []]);
    expect(run(closing.context, release(1), exit(1, 'shutdown')).effects.map(({ kind }) => kind)).toEqual([
      'unwatch-idle',
      'forget',
    ]);
  });
});

test('a thread that is stuck is stuck while the pool closes, too', () => {
  const stuck = run(pool(), place('a/1'), ready(1), failing(1), (now) => planStuck(now, 1));
  expect(threads(run(stuck.context, planClosing))[0]?.[1]).toBe('stuck');
});

describe('a thread that is replaced', () => {
  const recycling = { timeoutMs: 10, force: true };
  const recycle = (n: number) => (now: PoolContext) => planRecycling(now, n, recycling);
  const two = (maxThreads: number) =>
    run(pool({ maxThreads }), place('a/1'), ready(1), place('a/2'), ready(2)).context;

  test('takes nobody any more, and leaves when nobody is on it', () => {
    const replaced = run(two(2), recycle(1));
    expect(replaced.effects).toEqual([{ kind: 'recycle', n: 1, ...recycling }]);
    expect(hosted(run(replaced.context, place('a/3')))).toEqual([['a/3', 2]]);
    const left = run(replaced.context, release(1));
    expect(left.effects).toEqual([{ kind: 'leave', n: 1, cause: 'recycled' }]);
    expect(threads(left)[0]).toEqual([1, 'leaving', 0]);
  });

  test('without instances leaves at once; one that has not started, or leaves anyway, is not replaced', () => {
    const idle = run(pool(), place('a/1'), ready(1), release(1)).context;
    expect(run(idle, recycle(1)).effects).toEqual([
      { kind: 'unwatch-idle', n: 1 },
      { kind: 'leave', n: 1, cause: 'recycled' },
    ]);
    const starting = run(pool(), place('a/1')).context;
    expect(run(starting, recycle(1)).effects).toEqual([]);
    expect(run(run(starting, ready(1), failing(1)).context, recycle(1)).effects).toEqual([]);
    expect(run(idle, recycle(7)).effects).toEqual([]);
  });

  test('has its instances wait for the one that replaces it, unless there is room for that before', () => {
    const moved = (now: PoolContext) => planPlacement(now, 'a/1', { kind: 'replacement', of: 1 });
    const full = run(two(2), recycle(1), release(1), moved);
    expect([hosted(full), waiting(full)]).toEqual([[], ['a/1']]);
    expect(hosted(run(full.context, exit(1, 'recycled')))).toEqual([['a/1', 1]]);
    const roomy = run(two(3), recycle(1), ready(3), release(1), moved);
    expect(hosted(roomy)).toEqual([['a/1', 3]]);
  });

  test('where there is room, is replaced only when the one for it is ready, which takes nobody before', () => {
    const tried = run(two(3), recycle(1), place('a/3'));
    expect(of(tried, 'start')).toEqual([{ kind: 'start', n: 3, instead: 1 }]);
    expect([of(tried, 'recycle'), hosted(tried)]).toEqual([[], [['a/3', 1]]]);
    expect(of(run(tried.context, ready(3)), 'recycle')).toEqual([{ kind: 'recycle', n: 1, ...recycling }]);
  });

  test('goes on when that one does not start, which is told and counts for nothing', () => {
    const failed = run(two(3), recycle(1), exit(3, 'error'));
    expect(of(failed, 'tell-kept')).toEqual([{ kind: 'tell-kept', n: 1, tried: 3 }]);
    expect(threads(failed)).toEqual(threads({ context: two(3), effects: [] }));
    expect([failed.context.strikes, failed.context.health]).toEqual([[], 'open']);
  });

  test('goes on while the pool starts no threads, whether it is full or not', () => {
    for (const maxThreads of [2, 3]) {
      const shut: PoolContext = { ...two(maxThreads), health: 'exhausted' };
      expect(run(shut, recycle(1)).effects).toEqual([{ kind: 'tell-kept', n: 1 }]);
    }
  });

  test('and crashes while another one is tried is not missed: that one is like all others', () => {
    const crashed = run(two(3), recycle(1), failing(1), exit(1, 'oom'));
    expect(of(crashed, 'tell-kept')).toEqual([]);
    expect(hosted(run(crashed.context, place('a/1')))).toEqual([['a/1', 3]]);
    const both = run(two(3), recycle(1), failing(1), exit(3, 'error'));
    expect(of(both, 'tell-kept')).toEqual([]);
    expect(of(run(crashed.context, ready(3)), 'recycle')).toEqual([]);
  });

  test('is replaced for certain when that was only to be tried before, by the one that starts already', () => {
    const gently = (now: PoolContext) => planRecycling(now, 1, { timeoutMs: 10, force: false });
    const tried = run(two(3), gently, recycle(1), gently, ready(3));
    expect(of(tried, 'start')).toHaveLength(1);
    expect(of(tried, 'recycle')).toEqual([{ kind: 'recycle', n: 1, ...recycling }]);
    const idle = run(two(3), place('a/3'), ready(3), release(3));
    expect(of(run(idle.context, gently), 'start')).toEqual([]);
  });

  test('has left one behind that moves and finds no thread that starts: that counts for nothing', () => {
    const moved = (now: PoolContext) => planPlacement(now, 'a/1', { kind: 'replacement', of: 1 }, true);
    const full = run(pool({ maxThreads: 1 }), place('a/1'), ready(1), recycle(1), release(1), moved);
    const tried = run(full.context, exit(1, 'recycled'), exit(1, 'error'));
    expect([hosted(tried), tried.context.strikes]).toEqual([[['a/1', 1]], []]);
  });

  test('that is to stay after all takes instances again', () => {
    const kept = run(two(2), recycle(1), release(2), ready(1));
    expect(threads(kept)).toEqual([
      [1, 'ready', 1],
      [2, 'ready', 0],
    ]);
  });
});

describe('a placement that waits', () => {
  const own: PlacementRule = { kind: 'exclusive' };

  test('is refused when its time is up, and then is no longer placed', () => {
    const full = run(pool({ maxThreads: 1 }), place('a/1'), failing(1), place('a/2'), place('a/3'));
    const late = run(full.context, (now) => planOverdue(now, 'a/2'));
    expect(late.effects).toEqual([{ kind: 'refuse', address: 'a/2', why: 'full' }]);
    expect(hosted(run(late.context, exit(1, 'exit')))).toEqual([['a/3', 1]]);
    expect(planOverdue(late.context, 'a/2').effects).toEqual([]);
  });

  test('of its own thread is placed when one is free, before those who came later', () => {
    const full = run(pool(), place('a/1', own), ready(1), place('a/2', own), place('a/3', own), place('a/4'));
    expect([hosted(full), waiting(full)]).toEqual([
      [
        ['a/1', 1],
        ['a/2', 2],
      ],
      ['a/3', 'a/4'],
    ]);
    const freed = run(full.context, release(1));
    expect([hosted(freed), waiting(freed)]).toEqual([[['a/3', 1]], ['a/4']]);
    expect(of(freed, 'watch-idle')).toEqual([]);
    expect(hosted(run(freed.context, exit(2, 'exit')))).toEqual([['a/4', 2]]);
  });

  test('gives way to one of the same address that comes after it', () => {
    const full = run(pool({ maxThreads: 1 }), place('a/1'), failing(1), place('a/2'), place('a/2'));
    expect([waiting(full), full.effects.slice(-3).map(({ kind }) => kind)]).toEqual([
      ['a/2'],
      ['watch-wait', 'unwatch-wait', 'watch-wait'],
    ]);
  });

  test('does not hold back one behind it that has room', () => {
    const keyed = run(
      pool(),
      place('a/1', own),
      place('a/2', own),
      place('a/3', own),
      release(2),
      place('a/4'),
    );
    expect([hosted(keyed).at(-1), waiting(keyed)]).toEqual([['a/3', 2], ['a/4']]);
  });
});

describe('a pool whose threads do not start', () => {
  const strict = (change: Partial<PoolContext> = {}) =>
    pool({ maxThreads: 1, intensity: { restarts: 2, withinMs: 1_000 }, ...change });
  const fail = (address: string) => [place(address), exit(1, 'error')];
  const spent = () => run(strict(), ...fail('a/1'), ...fail('a/2'), ...fail('a/3'));

  test('allows as many failed starts as it has, and starts no thread after one more', () => {
    const allowed = run(strict(), ...fail('a/1'), ...fail('a/2'), place('a/3'));
    expect([hosted(allowed).length, of(allowed, 'watch-strike').length]).toEqual([3, 2]);
    const over = spent();
    expect([over.context.health, over.context.strikes.length]).toEqual(['exhausted', 3]);
    expect(of(over, 'tell-exhausted')).toHaveLength(1);
    expect(run(over.context, place('a/4')).effects).toEqual([
      { kind: 'refuse', address: 'a/4', why: 'exhausted' },
    ]);
  });

  test('refuses those who wait, when there has been one too many', () => {
    const own: PlacementRule = { kind: 'exclusive' };
    const queued = run(strict(), place('a/1', own), place('a/2', own), place('a/3', own));
    const strike = (address: string) => (now: PoolContext) =>
      planStrike(now, { kind: 'escalation', address });
    const over = run(queued.context, strike('b/1'), strike('b/2'), strike('b/3'));
    expect(of(over, 'refuse')).toEqual(
      ['a/2', 'a/3'].map((address) => ({ kind: 'refuse', address, why: 'exhausted' })),
    );
    expect([threads(over), waiting(over)]).toEqual([[[1, 'starting', 1]], []]);
  });

  test('goes on with the threads that it has', () => {
    const one = run(strict({ maxThreads: 2 }), place('a/1'), ready(1));
    const bad = (address: string) => [place(address), exit(2, 'oom')];
    const over = run(one.context, ...bad('a/2'), ...bad('a/3'), ...bad('a/4'), place('a/5'));
    expect([over.context.health, hosted(over).at(-1)]).toEqual(['exhausted', ['a/5', 1]]);
  });

  test('does not count a thread that was ready, was retired or was told to leave', () => {
    const causes: ThreadCause[] = ['error', 'oom', 'exit', 'retired', 'shutdown'];
    for (const cause of causes) {
      const { context } = run(strict(), place('a/1'), ready(1), exit(1, cause));
      expect(context.strikes).toEqual([]);
    }
    const closing = run(strict(), place('a/1'), planClosing, exit(1, 'error'));
    expect(closing.context.strikes).toEqual([]);
  });

  test('does not count whom it refused and who was quarantined for that', () => {
    const over = spent();
    const again = run(over.context, (now) => planStrike(now, { kind: 'escalation', address: 'a/1' }));
    expect([again.context.strikes.length, again.effects]).toEqual([3, []]);
  });

  const forgiven = [planForgiven, planForgiven, planForgiven];

  test('tries one thread after a quiet window, and starts as many as are needed once that is ready', () => {
    const quiet = run({ ...spent().context, maxThreads: 3 }, ...forgiven);
    expect(quiet.context.health).toBe('half-open');
    const tried = run(quiet.context, place('a/5'), place('a/6'));
    expect(hosted(tried)).toEqual([
      ['a/5', 1],
      ['a/6', 1],
    ]);
    const proved = run(tried.context, ready(1), place('a/7'));
    expect([proved.context.health, hosted(proved)]).toEqual(['open', [['a/7', 2]]]);
  });

  test('is exhausted again when the thread that was tried fails, which is no news', () => {
    const quiet = run(spent().context, ...forgiven, place('a/5'), exit(1, 'error'));
    expect([quiet.context.health, of(quiet, 'tell-exhausted')]).toEqual(['exhausted', []]);
    expect(of(run(quiet.context, place('a/6')), 'refuse')).toHaveLength(1);
  });

  test('tries no other thread while the one that failed is alive, unless that is stuck', () => {
    const quiet = run({ ...spent().context, maxThreads: 2 }, ...forgiven, place('a/5'), failing(1));
    const next = run(quiet.context, place('a/6'));
    expect([of(next, 'start'), waiting(next)]).toEqual([[], ['a/6']]);
    expect(of(run(next.context, exit(1, 'error')), 'refuse')).toHaveLength(1);
    expect(hosted(run(next.context, (now) => planStuck(now, 1)))).toEqual([['a/6', 2]]);
  });

  test('is not tried again before the last strike is forgiven', () => {
    const early = run(spent().context, planForgiven, planForgiven, place('a/5'));
    expect([early.context.health, of(early, 'refuse').length]).toEqual(['exhausted', 1]);
  });
});

describe('any sequence of plans', () => {
  type Step = readonly [kind: keyof typeof steps, n: number];
  const steps = {
    place: (n: number) => place(`a/${n}`),
    release,
    ready: (n: number) => (now: PoolContext) =>
      // Only a starting thread says so: the thread machine reports nothing else.
      now.threads.some((t) => t.n === n && t.state === 'starting')
        ? planReady(now, n)
        : { context: now, effects: [] },
    retire,
    failing,
    exit: (n: number) => (now: PoolContext) =>
      now.threads.some((t) => t.n === n) ? planExit(now, n, 'error') : { context: now, effects: [] },
  };
  const kinds = Object.keys(steps) as (keyof typeof steps)[];
  const anyStep: fc.Arbitrary<Step> = fc.tuple(fc.constantFrom(...kinds), fc.integer({ min: 1, max: 4 }));
  const anyPool = fc
    .tuple(fc.integer({ min: 1, max: 4 }), fc.nat(4))
    .map(([maxThreads, min]) => pool({ maxThreads, minThreads: Math.min(min, maxThreads) }));

  test('its effects, carried out by themselves, lead to the threads of the context', () => {
    fc.assert(
      fc.property(anyPool, fc.array(anyStep, { maxLength: 40 }), (start, sequence) => {
        const alive = new Map<number, 'staying' | 'leaving'>();
        let [now, peak, started, exited] = [start, 0, 0, 0];
        const carryOut = (effect: PoolEffect): string | undefined => {
          if (!('n' in effect)) return undefined;
          const { kind, n } = effect;
          const known = alive.get(n);
          if (kind === 'start') {
            alive.set(n, 'staying');
            started += 1;
            return known && `${n} was started twice`;
          }
          if (kind === 'forget') exited += alive.delete(n) ? 1 : 0;
          if (kind === 'leave') alive.set(n, 'leaving');
          return (kind === 'host' || kind === 'leave') && known !== 'staying' ? `${kind} ${n}` : undefined;
        };
        const follow = (step: (context: PoolContext) => PoolPlan): void => {
          const plan = run(now, step);
          for (const effect of plan.effects) {
            expect(carryOut(effect)).toBeUndefined();
            expect(alive.size).toBeLessThanOrEqual(start.maxThreads);
            peak = Math.max(peak, alive.size);
          }
          now = plan.context;
          const planned = now.threads.map(({ n, state }) => [n, state === 'leaving' ? state : 'staying']);
          expect(new Map(planned as [])).toEqual(alive);
          expect([now.peak, now.started, now.ended.error ?? 0]).toEqual([peak, started, exited]);
        };
        follow(planMinimum);
        expect(alive.size).toBe(start.minThreads);
        for (const [kind, n] of sequence) {
          if (kind === 'failing' && alive.has(n)) alive.set(n, 'leaving');
          follow(steps[kind](n));
        }
      }),
    );
  });

  test('hosts every address once, or keeps it waiting while every thread of the cap is leaving', () => {
    fc.assert(
      fc.property(anyPool, fc.array(anyStep, { maxLength: 40 }), (start, sequence) => {
        const addressed = sequence.map(([kind, n], i) => [kind, kind === 'place' ? i : n] as const);
        const plan = run(start, planMinimum, ...addressed.map(([kind, n]) => steps[kind](n)));
        const placed = addressed.flatMap(([kind, n]) => (kind === 'place' ? [`a/${n}`] : []));
        expect([...hosted(plan).map(([address]) => address), ...waiting(plan)]).toEqual(placed);
        if (plan.context.waiting.size === 0) return;
        expect(plan.context.threads).toHaveLength(start.maxThreads);
        expect(plan.context.threads.filter(({ state }) => state !== 'leaving')).toEqual([]);
      }),
    );
  });
});

describe('any sequence of plans for instances with wishes, in a pool that may be exhausted', () => {
  const rules: fc.Arbitrary<PlacementRule> = fc.oneof(
    fc.constant<PlacementRule>({ kind: 'fewest' }),
    fc.constant<PlacementRule>({ kind: 'exclusive' }),
    fc.nat(9).map((key): PlacementRule => ({ kind: 'key', key: String(key) })),
  );
  const kinds = [
    'place',
    'place',
    'ready',
    'ready',
    'release',
    'failing',
    'exit',
    'overdue',
    'strike',
    'forgive',
  ] as const;
  const steps = fc.array(fc.record({ kind: fc.constantFrom(...kinds), pick: fc.nat(50), rule: rules }), {
    maxLength: 60,
    size: 'max',
  });

  test('each has what it wants, is refused or waits in vain; and an exhausted pool starts nothing', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 4 }), fc.nat(3), (sequence, maxThreads, restarts) => {
        let now = pool({ maxThreads, intensity: { restarts, withinMs: 1_000 } });
        const wishes = new Map<string, PlacementRule>();
        const placed = new Map<string, number>();
        const refused = new Set<string>();
        const timed = new Set<string>();
        const wrongs: string[] = [];
        const check = (ok: boolean, what: string): void => void (ok || wrongs.push(what));
        let [strikes, placements] = [0, 0];
        const on = (n: number): string[] =>
          [...placed].flatMap(([address, at]) => (at === n ? [address] : []));
        const follow = (plan: PoolPlan): void => {
          const before = now;
          for (const effect of plan.effects) {
            if (effect.kind === 'start') {
              check(
                before.health !== 'exhausted' || plan.context.health !== 'exhausted',
                'started while exhausted',
              );
            } else if (effect.kind === 'host') {
              check(!placed.has(effect.address) && !refused.has(effect.address), `${effect.address} twice`);
              placed.set(effect.address, effect.n);
            } else if (effect.kind === 'refuse') {
              check(!placed.has(effect.address) && !refused.has(effect.address), `${effect.address} twice`);
              refused.add(effect.address);
            } else if (effect.kind === 'watch-wait') timed.add(effect.address);
            else if (effect.kind === 'unwatch-wait') timed.delete(effect.address);
            else if (effect.kind === 'forget') for (const address of on(effect.n)) placed.delete(address);
            else if (effect.kind === 'watch-strike') strikes += 1;
          }
          now = plan.context;
          for (const [address, n] of placed) {
            const wish = wishes.get(address) as PlacementRule;
            check(wish.kind !== 'exclusive' || on(n).length === 1, `${address} is not alone`);
            check(wish.kind !== 'key' || n === numberOf(wish.key, maxThreads), `${address} is elsewhere`);
          }
          const starting = now.threads.filter(({ state }) => state === 'starting').length;
          const startingBefore = before.threads.filter(({ state }) => state === 'starting').length;
          const trying = now.health === 'half-open' && before.health === 'half-open';
          check(!trying || starting <= Math.max(1, startingBefore), 'more than one is tried');
          expect(now.threads.length).toBeLessThanOrEqual(maxThreads);
          expect(new Set(now.waiting.values().map(({ address }) => address))).toEqual(timed);
          expect(now.strikes).toHaveLength(strikes);
          check(now.health !== 'exhausted' || now.waiting.size === 0, 'somebody waits in vain');
          check(now.health !== 'open' || strikes <= restarts, 'it is open after too many strikes');
          const inVain = now.waiting
            .values()
            .filter(({ placement }) => choosePlacement(now.threads, maxThreads, placement).kind !== 'wait');
          check(now.health !== 'open' || inVain.length === 0, 'somebody waits although there is room');
          expect(wrongs).toEqual([]);
        };
        const thread = (pick: number, ...states: string[]): number | undefined => {
          const found = now.threads.filter(({ state }) => states.includes(state));
          return found[pick % Math.max(1, found.length)]?.n;
        };
        for (const { kind, pick, rule } of sequence) {
          const step = (plan: (context: PoolContext) => PoolPlan): void => follow(run(now, plan));
          if (kind === 'place') {
            const address = `a/${(placements += 1)}`;
            wishes.set(address, rule);
            step(place(address, rule));
          } else if (kind === 'overdue') {
            const address = now.waiting.values()[pick % Math.max(1, now.waiting.size)]?.address;
            if (address === undefined) continue;
            timed.delete(address);
            step((context) => planOverdue(context, address));
          } else if (kind === 'strike') {
            step((context) => planStrike(context, { kind: 'escalation', address: 'a/0' }));
          } else if (kind === 'forgive') {
            if (strikes === 0) continue;
            strikes -= 1;
            step(planForgiven);
          } else if (kind === 'release') {
            const addresses = [...placed.keys()];
            const address = addresses[pick % Math.max(1, addresses.length)];
            if (address === undefined) continue;
            const n = placed.get(address) as number;
            placed.delete(address);
            step(release(n));
          } else {
            const states =
              kind === 'ready'
                ? ['starting']
                : kind === 'exit'
                  ? ['starting', 'leaving']
                  : ['starting', 'ready'];
            const n = thread(pick, ...states);
            if (n === undefined) continue;
            step(kind === 'ready' ? ready(n) : kind === 'exit' ? exit(n, 'error') : failing(n));
          }
        }
        expect(placements).toBe(wishes.size);
      }),
      { numRuns: 500 },
    );
  });
});

describe('other settings', () => {
  const settings = {
    maxThreads: 3,
    minThreads: 3,
    idleTimeoutMs: 5,
    startTimeoutMs: 10_000,
    intensity: { restarts: 1, withinMs: 1 },
  };
  const grown = (now: PoolContext): PoolPlan => planConfigured(now, settings);

  test('give room to who waits, and start the minimum', () => {
    const { context, effects } = run(
      pool({ maxThreads: 1 }),
      (now) => planPlacement(now, 'a', { kind: 'exclusive' }),
      (now) => planPlacement(now, 'b', { kind: 'exclusive' }),
      grown,
    );
    expect(context).toMatchObject({ maxThreads: 3, minThreads: 3, idleTimeoutMs: 5, waiting: { size: 0 } });
    expect(context.threads.map(({ n, owned }) => [n, owned])).toEqual([
      [1, 1],
      [2, 1],
      [3, 0],
    ]);
    expect(effects.filter(({ kind }) => kind === 'start')).toHaveLength(3);
    expect(effects).toContainEqual({ kind: 'unwatch-wait', address: 'b' });
  });

  test('with a smaller minimum let threads retire that it kept', () => {
    const { effects } = run(
      pool({ minThreads: 1 }),
      planMinimum,
      (now) => planReady(now, 1),
      (now) => planConfigured(now, { ...settings, minThreads: 0 }),
    );
    expect(effects.at(-1)).toEqual({ kind: 'watch-idle', n: 1 });
  });
});

describe('those that wait', () => {
  const number = fc.integer({ min: 1, max: 4 });
  const rules: fc.Arbitrary<PlacementRule> = fc.oneof(
    fc.constantFrom<PlacementRule>({ kind: 'fewest' }, { kind: 'exclusive' }),
    number.map((n): PlacementRule => ({ kind: 'key', key: `${n}` })),
    number.map((of): PlacementRule => ({ kind: 'replacement', of })),
  );
  const thread = fc.record({
    n: number,
    state: fc.constantFrom('starting' as const, 'ready' as const, 'leaving' as const, 'recycling' as const),
    owned: fc.nat(2),
    exclusive: fc.boolean(),
    fresh: fc.boolean(),
  });
  const found = fc.record({
    maxThreads: number,
    threads: fc.uniqueArray(thread, { selector: ({ n }) => n, maxLength: 4 }),
    health: fc.constantFrom('open' as const, 'half-open' as const),
    wishes: fc.array(rules, { maxLength: 12 }),
    gone: fc.nat(12),
  });

  test('are placed as if each had been tried in its turn, however few of them are', () => {
    fc.assert(
      fc.property(found, ({ maxThreads, threads: all, health, wishes, gone }) => {
        const there = all.filter(({ n }) => n <= maxThreads);
        const empty = pool({ maxThreads, threads: there, health });
        let list = new WaitingList();
        for (const [i, placement] of wishes.entries())
          list = list.with({ address: `a/${i}`, placement }, wantOf(placement, maxThreads));
        const full: PoolContext = { ...empty, waiting: list.without(`a/${gone}`) };
        const again = run(full, (now) => planConfigured(now, now));
        const each = wishes.flatMap((wish, i) => (i === gone ? [] : [place(`a/${i}`, wish)]));
        const tried = run(empty, ...each);
        expect([hosted(again), waiting(again)]).toEqual([hosted(tried), waiting(tried)]);
        expect(threads(again)).toEqual(threads(tried));
      }),
      { numRuns: 400 },
    );
  });
});

describe('a thread that is ended at once', () => {
  test('leaves whatever is on it, is no failure, and is not replaced', () => {
    const before = run(pool({ minThreads: 1 }), planMinimum, (now) => planReady(now, 1), place('a'));
    const { context, effects } = run(before.context, endOf(1), (now) => planExit(now, 1, 'shutdown'));
    expect(effects).toContainEqual({ kind: 'leave', n: 1, cause: 'shutdown' });
    expect(effects.filter(({ kind }) => kind === 'start')).toEqual([]);
    expect(context).toMatchObject({ threads: [], strikes: [], ended: { shutdown: 1 } });
  });

  test('is left alone when nobody can end it, or it is gone', () => {
    const { context } = run(
      pool(),
      place('a'),
      (now) => planReady(now, 1),
      (now) => planStuck(now, 1),
    );
    expect(run(context, endOf(1), endOf(2)).effects).toEqual([]);
  });
});

test('placements of one tick lead where they lead one after the other, and each thread is told once', () => {
  const rule = fc.oneof(
    fc.constantFrom<PlacementRule>({ kind: 'fewest' }, { kind: 'exclusive' }),
    fc.nat({ max: 3 }).map((key): PlacementRule => ({ kind: 'key', key: String(key) })),
  );
  const wanted = fc.array(
    fc.record({ address: fc.nat({ max: 8 }).map((n) => `a/${n}`), placement: rule, moving: fc.boolean() }),
    { maxLength: 12 },
  );
  const thread = fc.record({
    n: fc.nat(),
    state: fc.constantFrom('starting' as const, 'ready' as const, 'leaving' as const),
    owned: fc.nat({ max: 2 }),
  });
  const threads = fc
    .array(thread, { maxLength: 3 })
    .map((all) => all.map((one, i) => ({ ...one, n: i + 1 })));
  const health = fc.constantFrom('open' as const, 'half-open' as const, 'exhausted' as const);
  fc.assert(
    fc.property(threads, health, wanted, (alive, state, all) => {
      const context = deepFreeze(pool({ maxThreads: 4, threads: alive, health: state }));
      const one = run(
        context,
        ...all.map(
          ({ address, placement, moving }) =>
            (now: PoolContext) =>
              planPlacement(now, address, placement, moving),
        ),
      );
      const together = planPlacements(context, all);

      const after = ({ context: now }: PoolPlan) => ({ ...now, waiting: [...now.waiting] });
      expect(after(together)).toEqual(after(one));
      const hosts = one.effects.filter((effect) => effect.kind === 'host');
      const byThread = Object.groupBy(hosts, ({ n }) => n);
      expect(
        Object.fromEntries(
          together.effects.flatMap((effect) =>
            effect.kind === 'host-all' ? [[effect.n, effect.addresses]] : [],
          ),
        ),
      ).toEqual(
        Object.fromEntries(
          Object.entries(byThread).map(([n, some]) => [n, some?.map(({ address }) => address)]),
        ),
      );
      // What is left out has been done already: on a thread that has somebody, no time runs.
      const others = ({ effects }: PoolPlan) => effects.filter(({ kind }) => !kind.startsWith('host'));
      const last = (effects: readonly PoolEffect[], n: number) =>
        effects.findLast((effect) => effect.kind.endsWith('watch-idle') && 'n' in effect && effect.n === n);
      const timers = ({ kind }: PoolEffect): boolean => kind === 'unwatch-idle';
      expect(others(together).filter((effect) => !timers(effect))).toEqual(
        others(one).filter((effect) => !timers(effect)),
      );
      for (let n = 1; n <= 4; n++) expect(last(together.effects, n)).toEqual(last(one.effects, n));
    }),
  );
});
