import { emit, enqueueActions, setup } from 'xstate';
import type { PlacementRule } from './placement.ts';
import { poolMachine, type PoolReport } from './pool.ts';
import type { PoolInput } from './pool-plan.ts';
import type { Recycling } from './thread.ts';
import { decideRestart, type FailureHistory, type RestartPolicy } from './restart-policy.ts';

export interface SupervisorInput {
  readonly pools: readonly PoolInput[];
}

/** An instance, and where it wants to be. */
export interface Placeable {
  readonly address: string;
  /** The pool. */
  readonly threadId: string;
  /** Default: on the thread with the fewest. */
  readonly placement?: PlacementRule | undefined;
}

export type SupervisorEvent =
  /** Run an instance on a thread of its pool. */
  | ({ readonly type: 'instance.place' } & Placeable)
  /** An instance no longer takes room on thread `n`. */
  | { readonly type: 'instance.release'; readonly threadId: string; readonly n: number }
  /** An instance ended without having been told to. */
  | ({
      readonly type: 'instance.failed';
      readonly reason: 'done' | 'failed';
      readonly policy: RestartPolicy;
      readonly at: number;
      readonly random: number;
    } & Placeable)
  /** Its backoff is over. */
  | ({ readonly type: 'instance.restart' } & Placeable)
  /** A quarantined instance is to begin anew. */
  | ({ readonly type: 'instance.resume' } & Placeable)
  /** An instance is gone for good; forget what it did. */
  | { readonly type: 'instance.forget'; readonly address: string }
  /** Replace thread `n` of a pool. */
  | ({ readonly type: 'thread.recycle'; readonly threadId: string; readonly n: number } & Recycling)
  | PoolReport
  /** XState's word that a child is done, and its copy of a failure. */
  | { readonly type: `xstate.done.actor.${string}`; readonly output: unknown }
  | { readonly type: `xstate.error.actor.${string}`; readonly error: unknown }
  | { readonly type: 'stop' };

/** What the supervisor decided; the runtime listens and does it. */
export type SupervisorEmitted =
  /** The next incarnation of an instance begins; it is placed right after. */
  | { readonly type: 'restarting'; readonly address: string }
  /** By its policy the instance stays ended. */
  | { readonly type: 'ending'; readonly address: string }
  /** It failed too often. */
  | { readonly type: 'giving-up'; readonly address: string; readonly restarts: number }
  /** A pool has no thread for an instance. */
  | ({ readonly type: 'refused' } & Omit<Extract<PoolReport, { type: 'pool.refused' }>, 'type'>)
  /** A pool starts no more threads. */
  | ({ readonly type: 'exhausted' } & Omit<Extract<PoolReport, { type: 'pool.exhausted' }>, 'type'>);

export interface SupervisorContext extends SupervisorInput {
  /** Of those instances only that have failed. */
  readonly failures: Readonly<Record<string, FailureHistory>>;
  readonly restarts: number;
  /** Pools that may still have a thread. */
  readonly open: readonly string[];
}

export const poolActor = (threadId: string): string => `pool:${threadId}`;
const restartTimer = (address: string): string => `restart:${address}`;

function without<T>(record: Readonly<Record<string, T>>, key: string): Readonly<Record<string, T>> {
  if (!(key in record)) return record;
  const { [key]: _gone, ...rest } = record;
  return rest;
}

/**
 * The root of the actor system. It owns the pools, and decides what becomes of an instance that ended without
 * having been told to: another incarnation after a backoff, or the end. What it decided it emits.
 */
export const supervisorMachine = setup({
  types: {
    input: {} as SupervisorInput,
    context: {} as SupervisorContext,
    events: {} as SupervisorEvent,
    emitted: {} as SupervisorEmitted,
  },
  actors: { pool: poolMachine },
  actions: {
    restart: emit((_args, { address }: { address: string }) => ({ type: 'restarting', address })),
    end: emit((_args, { address }: { address: string }) => ({ type: 'ending', address })),
    giveUp: emit((_args, params: { address: string; restarts: number }) => ({
      type: 'giving-up',
      ...params,
    })),
    startPools: enqueueActions(({ context, enqueue }) => {
      for (const pool of context.pools)
        enqueue.spawnChild('pool', { id: poolActor(pool.threadId), input: pool });
    }),
    place: enqueueActions(({ enqueue }, { address, threadId, placement }: Placeable) => {
      enqueue.sendTo(poolActor(threadId), { type: 'place', address, ...(placement && { placement }) });
    }),
    escalate: enqueueActions(({ enqueue }, { address, threadId }: Placeable) => {
      enqueue.sendTo(poolActor(threadId), { type: 'escalation', address });
    }),
    stopPools: enqueueActions(({ context, enqueue }) => {
      for (const { threadId } of context.pools) enqueue.sendTo(poolActor(threadId), { type: 'stop' });
    }),
  },
  guards: {
    noPools: ({ context }) => context.pools.length === 0,
    allClosed: ({ context }) => context.open.length === 0,
  },
}).createMachine({
  id: 'supervisor',
  context: ({ input }) => ({
    ...input,
    failures: {},
    restarts: 0,
    open: input.pools.map(({ threadId }) => threadId),
  }),
  entry: 'startPools',
  initial: 'running',
  on: {
    // Twins and pools tell their ends themselves; XState's copy of an error must not end the system.
    'xstate.error.actor.*': {},
    'pool.closed': {
      actions: enqueueActions(({ context, event, enqueue }) => {
        enqueue.assign({ open: context.open.filter((threadId) => threadId !== event.threadId) });
      }),
    },
    'pool.refused': {
      actions: emit(({ event: { type: _type, ...refusal } }) => ({ type: 'refused', ...refusal })),
    },
    'pool.exhausted': {
      actions: emit(({ event: { type: _type, ...report } }) => ({ type: 'exhausted', ...report })),
    },
    'instance.release': {
      actions: enqueueActions(({ event, enqueue }) => {
        enqueue.sendTo(poolActor(event.threadId), { type: 'release', n: event.n });
      }),
    },
    'instance.forget': {
      actions: enqueueActions(({ context, event, enqueue }) => {
        enqueue.cancel(restartTimer(event.address));
        enqueue.assign({ failures: without(context.failures, event.address) });
      }),
    },
  },
  states: {
    running: {
      on: {
        'instance.place': { actions: { type: 'place', params: ({ event }) => event } },
        'instance.failed': {
          actions: enqueueActions(({ context, event, enqueue }) => {
            const { address, threadId, placement, policy } = event;
            const decision = decideRestart(policy, context.failures[address], event);
            if (decision.kind === 'end') {
              enqueue({ type: 'end', params: { address } });
            } else if (decision.kind === 'give-up') {
              // When it is resumed, nothing is held against it.
              enqueue.assign({ failures: without(context.failures, address) });
              enqueue({ type: 'giveUp', params: { address, restarts: policy.intensity.restarts } });
              enqueue({ type: 'escalate', params: { address, threadId } });
            } else {
              enqueue.assign({ failures: { ...context.failures, [address]: decision.history } });
              enqueue.raise(
                { type: 'instance.restart', address, threadId, placement },
                { delay: decision.delayMs, id: restartTimer(address) },
              );
            }
          }),
        },
        'instance.restart': {
          actions: [
            enqueueActions(({ context, enqueue }) => {
              enqueue.assign({ restarts: context.restarts + 1 });
            }),
            { type: 'restart', params: ({ event }) => ({ address: event.address }) },
            { type: 'place', params: ({ event }) => event },
          ],
        },
        'instance.resume': {
          actions: [
            { type: 'restart', params: ({ event }) => ({ address: event.address }) },
            { type: 'place', params: ({ event }) => event },
          ],
        },
        'thread.recycle': {
          actions: enqueueActions(({ event: { threadId, n, timeoutMs, force }, enqueue }) => {
            enqueue.sendTo(poolActor(threadId), { type: 'recycle', n, timeoutMs, force });
          }),
        },
        stop: 'stopping',
      },
    },
    stopping: {
      entry: 'stopPools',
      always: { guard: 'noPools', target: 'stopped' },
      on: { 'xstate.done.actor.*': { guard: 'allClosed', target: 'stopped' } },
    },
    stopped: { type: 'final' },
  },
});
