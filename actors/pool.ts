import { enqueueActions, sendParent, setup } from 'xstate';
import {
  planClosing,
  planExit,
  planFailing,
  planMinimum,
  planPlacement,
  planReady,
  planRelease,
  planRetirement,
  planStuck,
  type PoolContext,
  type PoolInput,
  type PoolPlan,
} from './pool-plan.ts';
import { threadMachine, type ThreadReport } from './thread.ts';

export type PoolEvent =
  /** Run an instance on a thread of this pool. */
  | { readonly type: 'place'; readonly address: string }
  /** An instance that ran on thread `n` does not any more. */
  | { readonly type: 'release'; readonly n: number }
  | ThreadReport
  /** Thread `n` had nothing to do for `idleTimeoutMs`. */
  | { readonly type: 'thread.idle'; readonly n: number }
  /** XState's word that a thread's actor is done, and its copy of a failure. */
  | { readonly type: `xstate.done.actor.${string}`; readonly output: unknown }
  | { readonly type: `xstate.error.actor.${string}`; readonly error: unknown }
  | { readonly type: 'stop' };

const threadActor = (n: number): string => `thread:${n}`;
const idleTimer = (n: number): string => `idle:${n}`;

function plan(context: PoolContext, event: PoolEvent): PoolPlan {
  switch (event.type) {
    case 'place':
      return planPlacement(context, event.address);
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
  delays: { idleTimeout: ({ context }) => context.idleTimeoutMs },
  guards: { empty: ({ context }) => context.threads.length === 0 },
  actions: {
    carryOut: enqueueActions(({ context, event, enqueue }) => {
      const { context: next, effects } = plan(context, event);
      enqueue.assign(next);
      const { threadId, startTimeoutMs } = context;
      for (const effect of effects) {
        const { n } = effect;
        if (effect.kind === 'start') {
          enqueue.spawnChild('thread', { id: threadActor(n), input: { threadId, n, startTimeoutMs } });
        } else if (effect.kind === 'host') {
          enqueue.sendTo(threadActor(n), { type: 'host', address: effect.address });
        } else if (effect.kind === 'leave') {
          enqueue.sendTo(threadActor(n), { type: 'leave', cause: effect.cause });
        } else if (effect.kind === 'watch-idle') {
          enqueue.raise({ type: 'thread.idle', n }, { delay: 'idleTimeout', id: idleTimer(n) });
        } else if (effect.kind === 'unwatch-idle') {
          enqueue.cancel(idleTimer(n));
        } else {
          enqueue.stopChild(threadActor(n));
        }
      }
    }),
  },
}).createMachine({
  id: 'pool',
  context: ({ input }) => ({ ...input, threads: [], waiting: [], peak: 0, started: 0, ended: {} }),
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
        'thread.ready': { actions: 'carryOut' },
        'thread.idle': { actions: 'carryOut' },
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
