import { emit, enqueueActions, setup } from 'xstate';
import type { Placeable } from './placement.ts';
import { poolMachine, type PoolEvent, type PoolReport } from './pool.ts';
import type { PoolInput, PoolSettings } from './pool-plan.ts';
import type { Recycling } from './thread.ts';
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
} from './restart-group.ts';
import { decideRestart, type Failure, type FailureHistory, type RestartPolicy } from './restart-policy.ts';
import { SortedMap } from './sorted-map.ts';

export interface SupervisorInput {
  readonly pools: readonly PoolInput[];
}

/** `group` of an event: name of the group that the instance lives and fails with, if it does. */
interface InGroup {
  readonly group?: string | undefined;
}

export type SupervisorEvent =
  /** Run an instance on a thread of its pool. */
  | ({ readonly type: 'instance.place' } & Placeable)
  /** Run several instances on threads of a pool, in this order. */
  | {
      readonly type: 'instance.place.all';
      readonly threadId: string;
      readonly wanted: readonly Omit<Placeable, 'threadId'>[];
    }
  /** An instance no longer takes room on thread `n`. */
  | { readonly type: 'instance.release'; readonly threadId: string; readonly n: number }
  /** An instance ended without having been told to. */
  | ({
      readonly type: 'instance.failed';
      readonly reason: Failure['reason'];
      readonly policy: RestartPolicy;
      readonly at: number;
      readonly random: number;
    } & Placeable &
      InGroup)
  /** An instance of a group runs in its thread. */
  | ({ readonly type: 'instance.running'; readonly group: string; readonly temporary: boolean } & Placeable)
  /** An instance of a group that was to be ended, for now or for good, is. */
  | { readonly type: 'instance.down'; readonly address: string; readonly group: string }
  /** The backoff of a group is over. */
  | { readonly type: 'group.due'; readonly group: string }
  /** Its backoff is over. */
  | ({ readonly type: 'instance.restart' } & Placeable)
  /** A quarantined instance is to begin anew. */
  | ({ readonly type: 'instance.resume' } & Placeable & InGroup)
  /** An instance is gone for good; forget what it did. */
  | ({ readonly type: 'instance.forget'; readonly address: string } & InGroup)
  /** Replace thread `n` of a pool. */
  | ({ readonly type: 'thread.recycle'; readonly threadId: string; readonly n: number } & Recycling)
  /** End thread `n` of a pool at once: the runtime stops, and does not wait for it. */
  | { readonly type: 'thread.end'; readonly threadId: string; readonly n: number }
  /** From now on a pool is to be like that. */
  | { readonly type: 'pool.configure'; readonly threadId: string; readonly settings: PoolSettings }
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
  /** Its incarnation is to end with that of another of its group; the next one begins in time. */
  | { readonly type: 'pausing'; readonly address: string }
  /** It is to end for good with another of its group. */
  | { readonly type: 'stopping'; readonly address: string }
  /** It failed too often, or `because` of its group did. */
  | { readonly type: 'giving-up'; readonly address: string; readonly because?: string }
  /** A pool has no thread for an instance. */
  | ({ readonly type: 'refused' } & Omit<Extract<PoolReport, { type: 'pool.refused' }>, 'type'>)
  /** A pool keeps a thread that was to be replaced. */
  | ({ readonly type: 'kept' } & Omit<Extract<PoolReport, { type: 'pool.kept' }>, 'type'>)
  /** A pool starts no more threads. */
  | ({ readonly type: 'exhausted' } & Omit<Extract<PoolReport, { type: 'pool.exhausted' }>, 'type'>);

export interface SupervisorContext extends SupervisorInput {
  /** Of those instances only that have failed. */
  readonly failures: SortedMap<string, FailureHistory>;
  /** Those with instances that live and fail together. */
  readonly groups: SortedMap<string, Group>;
  readonly restarts: number;
  /** Pools that may still have a thread. */
  readonly open: readonly string[];
}

export const poolActor = (threadId: string): string => `pool:${threadId}`;
const restartTimer = (address: string): string => `restart:${address}`;
const groupTimer = (group: string): string => `group:${group}`;

/** Those that may name a group. */
type GroupEvent = Extract<
  SupervisorEvent,
  { readonly type: `instance.${'running' | 'failed' | 'down' | 'resume' | 'forget'}` | 'group.due' }
>;

function isOfGroup(event: SupervisorEvent): event is GroupEvent & { readonly group: string } {
  return 'group' in event && event.group !== undefined;
}

/** Whether the quarantine that follows counts against the pool: not one of before, nor one that the store is to blame for. */
function isOfPool(event: SupervisorEvent): boolean {
  return event.type !== 'instance.failed' || (event.reason !== 'quarantined' && event.reason !== 'damaged');
}

/** What an event means for the group that it names. */
function planOf(group: Group, event: GroupEvent): GroupPlan {
  switch (event.type) {
    case 'instance.running':
      return planRunning(group, { ...placeable(event), temporary: event.temporary });
    case 'instance.failed':
      return planFailure(
        group,
        { ...placeable(event), temporary: event.policy.restart === 'temporary' },
        event.policy,
        event,
      );
    case 'instance.down':
      return planDown(group, event.address);
    case 'instance.resume':
      return planResume(group, event.address);
    case 'instance.forget':
      return planLeave(group, event.address);
    case 'group.due':
      break;
  }
  return planDue(group);
}

function placing({ address, placement, moving }: Placeable): PoolEvent {
  return { type: 'place', address, ...(placement && { placement }), ...(moving === true && { moving }) };
}

function placeable({ address, threadId, placement }: Placeable): Placeable {
  return { address, threadId, placement };
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
    end: emit((_args, { address }: { address: string }) => ({ type: 'ending', address })),
    giveUp: emit((_args, { address }: { address: string }) => ({ type: 'giving-up', address })),
    begin: enqueueActions(({ context, enqueue }, instance: Placeable) => {
      enqueue.assign({ restarts: context.restarts + 1 });
      enqueue.emit({ type: 'restarting', address: instance.address });
      enqueue.sendTo(poolActor(instance.threadId), placing(instance));
    }),
    planGroup: enqueueActions(({ context, event, enqueue }) => {
      if (!isOfGroup(event)) return;
      const { group: name } = event;
      const { group, effects } = planOf(context.groups.get(name) ?? EMPTY_GROUP, event);
      const empty = group.members.size === 0 && group.round === undefined;
      const begun = effects.filter(({ kind }) => kind === 'begin').length;
      enqueue.assign({
        restarts: context.restarts + begun,
        groups: empty ? context.groups.without(name) : context.groups.with(name, group),
      });
      for (const effect of effects) {
        if (effect.kind === 'begin') {
          const { member } = effect;
          enqueue.emit({ type: 'restarting', address: member.address });
          enqueue.sendTo(poolActor(member.threadId), placing(member));
        } else if (effect.kind === 'give-up') {
          const { member, because } = effect;
          const { address, threadId } = member;
          enqueue.emit({ type: 'giving-up', address, ...(because !== undefined && { because }) });
          if (because === undefined && isOfPool(event))
            enqueue.sendTo(poolActor(threadId), { type: 'escalation', address });
        } else if (effect.kind === 'wait') {
          enqueue.cancel(groupTimer(name));
          enqueue.raise({ type: 'group.due', group: name }, { delay: effect.delayMs, id: groupTimer(name) });
        } else if (effect.kind === 'end') {
          enqueue.emit({ type: 'ending', address: effect.address });
        } else {
          enqueue.emit({ type: effect.kind === 'pause' ? 'pausing' : 'stopping', address: effect.address });
        }
      }
    }),
    forget: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'instance.forget') return;
      enqueue.cancel(restartTimer(event.address));
      enqueue.assign({ failures: context.failures.without(event.address) });
    }),
    startPools: enqueueActions(({ context, enqueue }) => {
      for (const pool of context.pools)
        enqueue.spawnChild('pool', { id: poolActor(pool.threadId), input: pool });
    }),
    place: enqueueActions(({ enqueue }, instance: Placeable) => {
      enqueue.sendTo(poolActor(instance.threadId), placing(instance));
    }),
    escalate: enqueueActions(({ enqueue }, { address, threadId }: Placeable) => {
      enqueue.sendTo(poolActor(threadId), { type: 'escalation', address });
    }),
    stopPools: enqueueActions(({ context, enqueue }) => {
      for (const { threadId } of context.pools) enqueue.sendTo(poolActor(threadId), { type: 'stop' });
    }),
  },
  guards: {
    isOfGroup: ({ event }) => isOfGroup(event),
    noPools: ({ context }) => context.pools.length === 0,
    allClosed: ({ context }) => context.open.length === 0,
  },
}).createMachine({
  id: 'supervisor',
  context: ({ input }) => ({
    ...input,
    failures: new SortedMap(),
    groups: new SortedMap(),
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
    'pool.kept': {
      actions: emit(({ event: { type: _type, ...report } }) => ({ type: 'kept', ...report })),
    },
    'pool.exhausted': {
      actions: emit(({ event: { type: _type, ...report } }) => ({ type: 'exhausted', ...report })),
    },
    'instance.release': {
      actions: enqueueActions(({ event, enqueue }) => {
        enqueue.sendTo(poolActor(event.threadId), { type: 'release', n: event.n });
      }),
    },
    'instance.forget': { actions: ['forget', 'planGroup'] },
  },
  states: {
    running: {
      on: {
        'instance.place': { actions: { type: 'place', params: ({ event }) => event } },
        'instance.place.all': {
          actions: enqueueActions(({ event: { threadId, wanted }, enqueue }) => {
            enqueue.sendTo(poolActor(threadId), { type: 'place.all', wanted });
          }),
        },
        'instance.running': { actions: 'planGroup' },
        'instance.down': { actions: 'planGroup' },
        'group.due': { actions: 'planGroup' },
        'instance.failed': [
          { guard: 'isOfGroup', actions: 'planGroup' },
          {
            actions: enqueueActions(({ context, event, enqueue }) => {
              const { address, threadId, placement, policy } = event;
              const decision = decideRestart(policy, context.failures.get(address), event);
              if (decision.kind === 'end') {
                enqueue({ type: 'end', params: { address } });
              } else if (decision.kind === 'give-up') {
                // When it is resumed, nothing is held against it.
                enqueue.assign({ failures: context.failures.without(address) });
                enqueue({ type: 'giveUp', params: { address } });
                if (isOfPool(event)) enqueue({ type: 'escalate', params: { address, threadId } });
              } else {
                enqueue.assign({ failures: context.failures.with(address, decision.history) });
                enqueue.raise(
                  { type: 'instance.restart', address, threadId, placement },
                  { delay: decision.delayMs, id: restartTimer(address) },
                );
              }
            }),
          },
        ],
        'instance.restart': { actions: { type: 'begin', params: ({ event }) => event } },
        'instance.resume': [
          { guard: 'isOfGroup', actions: 'planGroup' },
          { actions: { type: 'begin', params: ({ event }) => event } },
        ],
        'thread.recycle': {
          actions: enqueueActions(({ event: { threadId, n, timeoutMs, force }, enqueue }) => {
            enqueue.sendTo(poolActor(threadId), { type: 'recycle', n, timeoutMs, force });
          }),
        },
        'thread.end': {
          actions: enqueueActions(({ event: { threadId, n }, enqueue }) => {
            enqueue.sendTo(poolActor(threadId), { type: 'end', n });
          }),
        },
        'pool.configure': {
          actions: enqueueActions(({ event: { threadId, settings }, enqueue }) => {
            enqueue.sendTo(poolActor(threadId), { type: 'configure', settings });
          }),
        },
        stop: 'stopping',
      },
    },
    stopping: {
      entry: 'stopPools',
      always: { guard: 'noPools', target: 'stopped' },
      on: {
        'xstate.done.actor.*': { guard: 'allClosed', target: 'stopped' },
        // Whoever waited in its group for it does not begin any more.
        'instance.forget': { actions: 'forget' },
      },
    },
    stopped: { type: 'final' },
  },
});
