import { initialTransition, transition } from 'xstate';
import { describe, expect, test } from 'vitest';
import { counted } from './fixtures/counted.ts';
import { HEALTHY } from './pool-health.ts';
import {
  planExit,
  planOverdue,
  planPlacement,
  planReady,
  planRelease,
  type PoolContext,
  type PoolInput,
  type PoolPlan,
} from './pool-plan.ts';
import type { PlacedThread, PlacementRule } from './placement.ts';
import {
  EMPTY_GROUP,
  planDown,
  planDue,
  planFailure,
  planLeave,
  planRunning,
  type Group,
  type Member,
} from './restart-group.ts';
import type { RestartPolicy } from './restart-policy.ts';
import { SortedMap } from './sorted-map.ts';
import { supervisorMachine, type SupervisorContext, type SupervisorEvent } from './supervisor.ts';
import { WaitingList, wantOf } from './waiting-list.ts';

const few = 1_000;
const many = 10_000;
/** A tree of ten times as many nodes is four levels higher. */
const growth = 1.6;

const limits: PoolInput = {
  threadId: 'p',
  maxThreads: 2,
  minThreads: 0,
  idleTimeoutMs: 1,
  startTimeoutMs: 1,
  intensity: { restarts: 3, withinMs: 60_000 },
};

const policy = (change: Partial<RestartPolicy> = {}): RestartPolicy => ({
  restart: 'permanent',
  intensity: { restarts: 3, withinMs: 1_000 },
  backoff: { minMs: 100, maxMs: 400, factor: 2, jitter: 0 },
  ...change,
});

const address = (i: number): string => `p/${i}`;

type Context = SupervisorContext;

/** What a supervisor reads of its context to take `event`. */
function readsOf(change: Partial<Context>, event: SupervisorEvent): number {
  const [snapshot] = initialTransition(supervisorMachine, { pools: [limits] });
  const { value: context, reads } = counted({ ...snapshot.context, ...change });
  transition(supervisorMachine, { ...snapshot, context }, event);
  return reads();
}

function failure(i: number, change: Partial<RestartPolicy> = {}): SupervisorEvent {
  const at = { at: 0, random: 0 } as const;
  return {
    type: 'instance.failed',
    address: address(i),
    threadId: 'p',
    reason: 'failed',
    policy: policy(change),
    ...at,
  };
}

/** As many as `n`, which have failed once each. */
function failed(n: number): Partial<Context> {
  let failures: Context['failures'] = new SortedMap();
  for (let i = 0; i < n; i += 1)
    failures = failures.with(address(i), { restarts: [0], streak: 0, restartAt: 100 });
  return { failures };
}

describe('however many have failed, it is as many steps for a supervisor', () => {
  const contexts = [failed(few), failed(many)] as const;

  test.each<[string, (n: number) => SupervisorEvent]>([
    ['that one more fails', (n) => failure(n)],
    ['that one fails again', () => failure(7)],
    ['that one is given up', () => failure(7, { intensity: { restarts: 1, withinMs: 1_000 } })],
    ['that one is gone', (n) => ({ type: 'instance.forget', address: address(n >> 1) })],
  ])('%s', (_name, event) => {
    const less = readsOf(contexts[0], event(few));
    const more = readsOf(contexts[1], event(many));
    expect(more).toBeLessThan(less * growth);
  });
});

/** A group of as many as `n` that run. */
function running(n: number): Group {
  let group = EMPTY_GROUP;
  for (let i = 0; i < n; i += 1) ({ group } = planRunning(group, member(i)));
  return group;
}

const member = (i: number): Member => ({ address: address(i), threadId: 'p', temporary: false });
const together = policy({ strategy: 'all-for-one' });

/** One of them has failed, and all others are down, but the last two. */
function roundOf(group: Group): Group {
  const n = group.members.size;
  let round = planFailure(group, member(0), together, { reason: 'failed', at: 0, random: 0 }).group;
  for (let i = 1; i < n - 2; i += 1) round = planDown(round, address(i)).group;
  return planDue(round).group;
}

describe('however many are in a group, it is as many steps for it', () => {
  const groups = [running(few), running(many)] as const;
  const rounds = groups.map(roundOf) as unknown as readonly [Group, Group];
  const begun = rounds.map((round) => {
    const n = round.members.size;
    return planDown(planDown(round, address(n - 1)).group, address(n - 2)).group;
  }) as unknown as readonly [Group, Group];

  test.each<[string, readonly [Group, Group], (group: Group, n: number) => unknown]>([
    ['that one more runs', groups, (group, n) => planRunning(group, member(n))],
    ['that one runs again', groups, (group, n) => planRunning(group, member(n - 1))],
    ['that one is gone', groups, (group, n) => planLeave(group, address(n >> 1))],
    [
      'that one ends by itself',
      groups,
      (group, n) => {
        const once = policy({ strategy: 'all-for-one', restart: 'transient' });
        return planFailure(group, member(n - 1), once, { reason: 'done', at: 0, random: 0 });
      },
    ],
    [
      'that one dies which was to be ended',
      rounds,
      (group, n) => planFailure(group, member(n - 1), together, { reason: 'failed', at: 0, random: 0 }),
    ],
    ['that one is down', rounds, (group, n) => planDown(group, address(n - 1))],
    ['that one is gone which waits for its start', begun, (group, n) => planLeave(group, address(n - 1))],
    ['that one runs and the next begins', begun, (group) => planRunning(group, member(0))],
  ])('%s', (_name, [small, large], step) => {
    const [less, more] = [small, large].map((group) => {
      const { value, reads } = counted(group);
      step(value, group.members.size);
      return reads();
    }) as [number, number];
    expect(more).toBeLessThan(less * growth);
  });
});

/** A pool of threads that each host one, and as many as `n` that wait for one of their own. */
function crowded(n: number): PoolContext {
  const thread = (no: number): PlacedThread => ({ n: no, state: 'ready', owned: 1, exclusive: true });
  const [peak, started, ended] = [2, 2, {}];
  let waiting = new WaitingList();
  for (let i = 0; i < n; i += 1) {
    const placement: PlacementRule = i % 4 === 0 ? { kind: 'key', key: `${i}` } : { kind: 'exclusive' };
    waiting = waiting.with({ address: address(i), placement }, wantOf(placement, 2));
  }
  return { ...limits, ...HEALTHY, threads: [thread(1), thread(2)], waiting, peak, started, ended };
}

describe('however many wait, it is as many steps for a pool', () => {
  const pools = [crowded(few), crowded(many)] as const;

  test.each<[string, (pool: PoolContext, n: number) => PoolPlan, hosted: number]>([
    ['that a place is free', (pool) => planRelease(pool, 1), 1],
    ['that one more comes', (pool, n) => planPlacement(pool, address(n), { kind: 'exclusive' }), 0],
    ['that one comes again', (pool, n) => planPlacement(pool, address(n - 1), { kind: 'exclusive' }), 0],
    ['that one has waited too long', (pool, n) => planOverdue(pool, address(n >> 1)), 0],
    ['that a thread is ready', (pool) => planReady(pool, 1), 0],
    ['that a thread has ended', (pool) => planExit(pool, 1, 'error'), 1],
  ])('%s', (_name, step, hosted) => {
    const [less, more] = pools.map((pool) => {
      const { value, reads } = counted(pool);
      const { effects } = step(value, pool.waiting.size);
      const read = reads();
      expect(effects.filter(({ kind }) => kind === 'host')).toHaveLength(hosted);
      return read;
    }) as [number, number];
    expect(more).toBeLessThan(less * growth);
  });
});
