import { createActor, fromCallback, type ActorRefFrom } from 'xstate';
import { poolMachine } from '../../actors/pool.ts';
import type { PoolContext } from '../../actors/pool-plan.ts';
import { poolActor, supervisorMachine, type SupervisorEmitted } from '../../actors/supervisor.ts';
import { threadMachine, type ThreadEvent, type WorkerCommand } from '../../actors/thread.ts';
import type { Clock } from '../base/clock.ts';
import type { ResolvedPool } from '../config/resolve.ts';
import type { ThreadHost } from '../threads/thread-host.ts';

export type SupervisorRef = ActorRefFrom<typeof supervisorMachine>;
export type PoolRef = ActorRefFrom<typeof poolMachine>;

type Emitted<T extends SupervisorEmitted['type']> = Extract<SupervisorEmitted, { type: T }>;

/** The effects that the pure actors leave open. */
export interface SupervisionEffects {
  readonly clock: Clock;
  /** Called with the supervisor before it starts. */
  readonly made?: (supervisor: SupervisorRef) => void;
  /** Returns the current settings of a pool. */
  poolOf(threadId: string): ResolvedPool;
  /** Starts a worker thread of the operating system. */
  startThread(
    pool: ResolvedPool,
    thread: { readonly n: number; readonly name: string; readonly instead?: number | undefined },
    tell: (event: ThreadEvent) => void,
  ): SupervisedThread;
}

/** A thread as its actor needs it. */
export type SupervisedThread = Pick<
  ThreadHost,
  'host' | 'abandon' | 'moveOut' | 'hurry' | 'stay' | 'windDown' | 'end'
>;

/** The handlers that carry out the supervisor's decisions: one for each event that it emits. */
export type Decisions = {
  readonly [T in SupervisorEmitted['type']]: (decision: Emitted<T>) => void;
} & {
  /** The thread that was to host an instance could not be created. */
  readonly unplaced: (address: string, error: unknown) => void;
};

/** Starts the supervisor with its pools: the pure machines of `actors/`, given hands. */
export function startSupervisor(
  pools: readonly ResolvedPool[],
  effects: SupervisionEffects,
  decisions: Decisions,
): SupervisorRef {
  const worker = fromCallback<
    WorkerCommand,
    { threadId: string; n: number; name: string; instead?: number | undefined }
  >(({ input, receive, sendBack }) => {
    const pool = effects.poolOf(input.threadId);
    let host: SupervisedThread;
    try {
      host = effects.startThread(pool, input, sendBack);
    } catch (error) {
      const unplaced: string[] = [];
      receive((command) => {
        if (command.type === 'host') unplaced.push(command.address);
        else if (command.type === 'host.all') unplaced.push(...command.addresses);
      });
      // Sent only after the instances that were to run here have been named.
      queueMicrotask(() => {
        sendBack({ type: 'worker.failed', cause: 'error', error });
        sendBack({ type: 'worker.exit', code: -1 });
        for (const address of unplaced) decisions.unplaced(address, error);
      });
      return;
    }
    receive((command) => {
      if (command.type === 'host') host.host(command.address);
      else if (command.type === 'host.all') for (const address of command.addresses) host.host(address);
      else if (command.type === 'abandon') host.abandon();
      else if (command.type === 'move-out') host.moveOut(command.hold);
      else if (command.type === 'hurry') void host.hurry();
      else if (command.type === 'stay') host.stay();
      else if (command.type === 'wind-down') void host.windDown();
      else host.end(command.cause);
    });
  });
  const pool = poolMachine.provide({ actors: { thread: threadMachine.provide({ actors: { worker } }) } });
  const machine = supervisorMachine.provide({ actors: { pool } });
  const { clock } = effects;
  const supervisor = createActor(machine, {
    id: 'supervisor',
    systemId: 'supervisor',
    input: { pools },
    clock,
  });
  effects.made?.(supervisor);
  supervisor.on('restarting', decisions.restarting);
  supervisor.on('ending', decisions.ending);
  supervisor.on('giving-up', decisions['giving-up']);
  supervisor.on('pausing', decisions.pausing);
  supervisor.on('stopping', decisions.stopping);
  supervisor.on('refused', decisions.refused);
  supervisor.on('kept', decisions.kept);
  supervisor.on('exhausted', decisions.exhausted);
  return supervisor.start();
}

/** Returns the actor of a pool: the supervisor's child for that `threadId`. */
export function poolRef(supervisor: SupervisorRef, threadId: string): PoolRef {
  const { children } = supervisor.getSnapshot() as { children: Record<string, unknown> };
  return children[poolActor(threadId)] as PoolRef;
}

export function poolContext(supervisor: SupervisorRef, threadId: string): PoolContext {
  return poolRef(supervisor, threadId).getSnapshot().context;
}
