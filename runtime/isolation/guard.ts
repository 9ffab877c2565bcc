import type { LoadedConfig } from '../config/resolve.ts';
import { closeDebugSignal } from './debug-signal.ts';

/** What a runtime does in its host for the isolation of its pools, for as long as it runs. */
export interface IsolationGuard {
  /** Passes on the end of the runtime, and ends with it. */
  stopped(stopping: Promise<void>): Promise<void>;
}

export function guardIsolation({ pools }: Pick<LoadedConfig, 'pools'>): IsolationGuard {
  const closed = pools.some(({ isolation }) => isolation === 'thread+permissions');
  const release = closed ? closeDebugSignal() : undefined;
  return {
    async stopped(stopping) {
      await stopping.finally(release);
    },
  };
}
