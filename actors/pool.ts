import { enqueueActions, sendParent, setup } from 'xstate';
import {
  planClosing,
  planEnd,
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
  type PoolInput,
  type PoolPlan,
  planConfigured,
  type PoolSettings,
  type Refusal,
  type Wanted,
} from './pool-plan.ts';
import type { PlacementRule } from './placement.ts';
import { HEALTHY, type PoolIntensity, type Strike } from './pool-health.ts';
import { threadMachine, type Recycling, type ThreadReport } from './thread.ts';
import { WaitingList } from './waiting-list.ts';

export type PoolEvent =
  /** Run an instance on a thread of this pool. */
  | {
      readonly type: 'place';
      readonly address: string;
      readonly placement?: PlacementRule;
      readonly moving?: boolean;
    }
  /** Run several instances, in this order. */
  | { readonly type: 'place.all'; readonly wanted: readonly Wanted[] }
  /** It has waited for a place as long as it may. */
  | { readonly type: 'place.overdue'; readonly address: string }
  /** An instance of this pool failed too often. */
  | { readonly type: 'escalation'; readonly address: string }
  /** What counted against the pool does not any more. */
  | { readonly type: 'strike.forgiven' }
  /** An instance that ran on thread `n` does not any more. */
  | { readonly type: 'release'; readonly n: number }
  /** From now on the pool is to be like that. */
  | { readonly type: 'configure'; readonly settings: PoolSettings }
  /** Replace thread `n`. */
  | ({ readonly type: 'recycle'; readonly n: number } & Recycling)
  /** End thread `n` at once. */
  | { readonly type: 'end'; readonly n: number }
  | ThreadReport
  /** Thread `n` had nothing to do for `idleTimeoutMs`. */
  | { readonly type: 'thread.idle'; readonly n: number }
  /** XState's word that a thread's actor is done, and its copy of a failure. */
  | { readonly type: `xstate.done.actor.${string}`; readonly output: unknown }
  | { readonly type: `xstate.error.actor.${string}`; readonly error: unknown }
  | { readonly type: 'stop' };

/** What a pool tells its supervisor. */
export type PoolReport =
  | { readonly type: 'pool.closed'; readonly threadId: string }
  | {
      readonly type: 'pool.refused';
      readonly threadId: string;
      readonly address: string;
      readonly why: Refusal;
      /** What counts against the pool. */
      readonly strikes: readonly Strike[];
    }
  /** It starts no more threads. */
  | {
      readonly type: 'pool.exhausted';
      readonly threadId: string;
      readonly strikes: readonly Strike[];
      readonly intensity: PoolIntensity;
    }
  /** It does not replace thread `n`, since no other starts: that of `tried` has failed, or none was tried. */
  | { readonly type: 'pool.kept'; readonly threadId: string; readonly n: number; readonly tried?: number };

const threadActor = (n: number): string => `thread:${n}`;
const idleTimer = (n: number): string => `idle:${n}`;
const waitTimer = (address: string): string => `wait:${address}`;

function plan(context: PoolContext, event: PoolEvent): PoolPlan {
  switch (event.type) {
    case 'place':
      return planPlacement(context, event.address, event.placement, event.moving);
    case 'place.all':
      return planPlacements(context, event.wanted);
    case 'place.overdue':
      return planOverdue(context, event.address);
    case 'escalation':
      return planStrike(context, { kind: 'escalation', address: event.address });
    case 'strike.forgiven':
      return planForgiven(context);
    case 'release':
      return planRelease(context, event.n);
    case 'thread.ready':
      return planReady(context, event.n);
    case 'thread.idle':
      return planRetirement(context, event.n);
    case 'thread.failing':
      return planFailing(context, event.n);
    case 'thread.stuck':
      return planStuck(context, event.n);
    case 'thread.exited':
      return planExit(context, event.n, event.cause);
    case 'recycle':
      return planRecycling(context, event.n, { timeoutMs: event.timeoutMs, force: event.force });
    case 'end':
      return planEnd(context, event.n);
    case 'configure':
      return planConfigured(context, event.settings);
    case 'stop':
      return planClosing(context);
    default:
      // The first event of an actor has no name of ours.
      return planMinimum(context);
  }
}

/**
 * The threads that share a `threadId`. It alone starts and retires them, so the cap is kept in one place: a
 * thread counts from before it is started until its exit was seen. What each event leads to is planned by pure
 * functions in `pool-plan.ts`; `carryOut` turns a plan into actions.
 */
export const poolMachine = setup({
  types: { input: {} as PoolInput, context: {} as PoolContext, events: {} as PoolEvent },
  actors: { thread: threadMachine },
  delays: {
    idleTimeout: ({ context }) => context.idleTimeoutMs,
    startTimeout: ({ context }) => context.startTimeoutMs,
    window: ({ context }) => context.intensity.withinMs,
  },
  guards: { empty: ({ context }) => context.threads.length === 0 },
  actions: {
    carryOut: enqueueActions(({ context, event, enqueue }) => {
      const { context: next, effects } = plan(context, event);
      enqueue.assign(next);
      const { threadId, startTimeoutMs, intensity } = context;
      const act: { readonly [K in PoolEffect['kind']]: (effect: Extract<PoolEffect, { kind: K }>) => void } =
        {
          start: ({ n, instead }) =>
            enqueue.spawnChild('thread', {
              id: threadActor(n),
              input: { threadId, n, startTimeoutMs, ...(instead !== undefined && { instead }) },
            }),
          host: ({ n, address }) => enqueue.sendTo(threadActor(n), { type: 'host', address }),
          'host-all': ({ n, addresses }) => enqueue.sendTo(threadActor(n), { type: 'host.all', addresses }),
          leave: ({ n, cause }) => enqueue.sendTo(threadActor(n), { type: 'leave', cause }),
          recycle: ({ n, timeoutMs, force }) =>
            enqueue.sendTo(threadActor(n), { type: 'recycle', timeoutMs, force }),
          forget: ({ n }) => enqueue.stopChild(threadActor(n)),
          'watch-idle': ({ n }) =>
            enqueue.raise({ type: 'thread.idle', n }, { delay: 'idleTimeout', id: idleTimer(n) }),
          'unwatch-idle': ({ n }) => enqueue.cancel(idleTimer(n)),
          'watch-wait': ({ address }) =>
            enqueue.raise(
              { type: 'place.overdue', address },
              { delay: 'startTimeout', id: waitTimer(address) },
            ),
          'unwatch-wait': ({ address }) => enqueue.cancel(waitTimer(address)),
          'watch-strike': () => enqueue.raise({ type: 'strike.forgiven' }, { delay: 'window' }),
          refuse: ({ address, why }) => {
            const report: PoolReport = {
              type: 'pool.refused',
              threadId,
              address,
              why,
              strikes: next.strikes,
            };
            enqueue.sendParent(report);
          },
          'tell-exhausted': ({ strikes }) => {
            const report: PoolReport = { type: 'pool.exhausted', threadId, strikes, intensity };
            enqueue.sendParent(report);
          },
          'tell-kept': ({ n, tried }) => {
            const report: PoolReport = {
              type: 'pool.kept',
              threadId,
              n,
              ...(tried !== undefined && { tried }),
            };
            enqueue.sendParent(report);
          },
        };
      for (const effect of effects) act[effect.kind](effect as never);
    }),
  },
}).createMachine({
  id: 'pool',
  context: ({ input }) => ({
    ...input,
    ...HEALTHY,
    threads: [],
    waiting: new WaitingList(),
    peak: 0,
    started: 0,
    ended: {},
  }),
  initial: 'open',
  on: {
    // A thread's failure is told by its own report; XState's copy of it must not end the pool.
    'xstate.error.actor.*': {},
    release: { actions: 'carryOut' },
    'thread.failing': { actions: 'carryOut' },
    'thread.stuck': { actions: 'carryOut' },
    'thread.exited': { actions: 'carryOut' },
  },
  states: {
    open: {
      entry: 'carryOut',
      on: {
        place: { actions: 'carryOut' },
        'place.all': { actions: 'carryOut' },
        'place.overdue': { actions: 'carryOut' },
        escalation: { actions: 'carryOut' },
        'strike.forgiven': { actions: 'carryOut' },
        'thread.ready': { actions: 'carryOut' },
        'thread.idle': { actions: 'carryOut' },
        recycle: { actions: 'carryOut' },
        end: { actions: 'carryOut' },
        configure: { actions: 'carryOut' },
        stop: [
          { guard: 'empty', target: 'closed' },
          { target: 'closing', actions: 'carryOut' },
        ],
      },
    },
    // A thread's actor is done right after its exit was told; whoever ends before would hear of it too late.
    closing: { on: { 'xstate.done.actor.*': { guard: 'empty', target: 'closed' } } },
    closed: {
      type: 'final',
      entry: sendParent(({ context }) => ({ type: 'pool.closed', threadId: context.threadId })),
    },
  },
});
