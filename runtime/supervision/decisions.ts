import type { ResolvedPool } from '../config/resolve.ts';
import { HoldfastError } from '../base/errors.ts';
import { closedPool, noThread } from '../threads/pool-errors.ts';
import type { Instance } from '../instance/instance.ts';
import type { Logger } from '../base/logger.ts';
import type { EventHub } from '../telling/runtime-events.ts';
import type { Decisions } from './supervision.ts';

export interface DecisionsOptions {
  readonly instanceAt: (address: string) => Instance | undefined;
  readonly poolOf: (threadId: string) => ResolvedPool;
  /** There is no place for something that is no instance. */
  readonly unvisited: (address: string, error: HoldfastError) => void;
  /** Gives a new incarnation the grants of its agent. */
  readonly openGrants: (instance: Instance) => void;
  /** Thread `n` of a pool is not replaced: thread `tried` did not start, or none was tried. */
  readonly kept: (threadId: string, n: number, tried: number | undefined) => void;
  readonly hub: EventHub;
  readonly logger: Logger;
}

/**
 * The way down: has instances do what the supervisor has decided. `requests.ts` is the way up, by which instances tell the
 * supervisor; the pure machine of `actors/supervisor.ts` is in between.
 */
export function decisions({
  instanceAt,
  poolOf,
  unvisited,
  openGrants,
  kept,
  hub,
  logger,
}: DecisionsOptions): Decisions {
  /** Stops an instance that throws, so that the supervisor, in whose own turn this runs, and the others live on. */
  const carryOut = (address: string, run: (instance: Instance) => void): void => {
    const instance = instanceAt(address);
    if (instance === undefined) return;
    try {
      run(instance);
    } catch (error) {
      logger.error(
        { address, error },
        'a decision about an instance cannot be carried out; the instance is stopped',
      );
      instance.stop().catch(() => {});
    }
  };

  return {
    unplaced(address, error) {
      carryOut(address, (instance) => instance.unplaced(unmade(error)));
      unvisited(address, unmade(error));
    },
    restarting: ({ address }) =>
      carryOut(address, (instance) => {
        instance.restart();
        openGrants(instance);
      }),
    ending: ({ address }) => carryOut(address, (instance) => instance.finishEnded()),
    pausing: ({ address }) => carryOut(address, (instance) => instance.pause()),
    stopping: ({ address }) => carryOut(address, (instance) => void instance.stop().catch(() => {})),
    refused({ address, threadId, why }) {
      const error = noThread(address, poolOf(threadId), why);
      carryOut(address, (instance) => instance.refused(error, why === 'full' ? 'init-timeout' : 'error'));
      unvisited(address, error);
    },
    kept: ({ threadId, n, tried }) => kept(threadId, n, tried),
    exhausted({ threadId, strikes, intensity }) {
      const error = closedPool(threadId, intensity);
      hub.emit('escalation', { kind: 'pool', threadId, error, evidence: { ...intensity, strikes } });
      logger.error({ threadId, error }, 'a pool starts no more threads');
    },
    'giving-up'({ address, because }) {
      carryOut(address, (instance) => {
        const error = instance.giveUp(because === undefined ? undefined : instanceAt(because));
        // The quarantine of a group is one escalation, told for the instance that failed.
        if (error === undefined || because !== undefined) return;
        const { threadId } = instance.agent;
        hub.emit('escalation', { kind: 'instance', address, threadId, error, evidence: error.evidence });
        const why = error.evidence.unfit === true ? 'cannot go on from its state' : 'failed too often';
        logger.error({ address, error }, `an instance ${why} and was quarantined`);
      });
    },
  };
}

/** The error for a worker thread that could not be created. */
function unmade(error: unknown): HoldfastError {
  const { code, message } = error as { code?: string; message: string };
  if (code === 'ERR_WORKER_INVALID_EXEC_ARGV') {
    const advice =
      "this Node does not know an option that the pool's isolation needs; use Node 22.18 or later";
    return new HoldfastError('ISOLATION_UNAVAILABLE', `${advice} (${message})`, { cause: error });
  }
  return new HoldfastError('THREAD_CRASHED', `the thread could not be created: ${message}`, { cause: error });
}
