import { systemClock, within } from '../base/clock.ts';
import type { LoadedConfig } from '../config/resolve.ts';
import type { RuntimeSystem } from '../system/runtime-system.ts';
import { testInBackground, type BackgroundTest } from './background.ts';
import { closeDebugSignal } from './debug-signal.ts';
import { mixedGrants, mixedGrantsText } from './mixed-grants.ts';
import { readableStores, readableStoreText } from './readable-store.ts';
import { modulesOf, openText } from './report.ts';

/** A thread that is terminated is gone in a fraction of that. */
const CANCEL_MS = 1000;

/** What a runtime does in its host for the isolation of its pools, for as long as it runs. */
export interface IsolationGuard {
  /** Passes on the end of the runtime, and ends with it. */
  stopped(stopping: Promise<void>): Promise<void>;
}

/**
 * Keeps SIGUSR1 from opening the host when a pool is closed, tries the isolation of such a pool when its first thread
 * is up, and warns of what is open. `tried`: it was tried already, and there is nothing to warn of.
 */
export function guardIsolation(
  config: Pick<LoadedConfig, 'agents' | 'pools' | 'store'>,
  system: Pick<RuntimeSystem, 'on' | 'warn'>,
  tried: boolean,
  testPool: typeof testInBackground = testInBackground,
): IsolationGuard {
  const closed = config.pools.filter(({ isolation }) => isolation === 'thread+permissions');
  const release = closed.length > 0 ? closeDebugSignal() : undefined;
  const tests: BackgroundTest[] = [];
  const untested = new Map(tried ? [] : closed.map((pool) => [pool.threadId, pool]));
  let stopping = false;

  const listening = system.on('thread', ({ threadId, state }) => {
    const pool = untested.get(threadId);
    if (state !== 'ready' || pool === undefined || stopping) return;
    untested.delete(threadId);
    const test = testPool(pool, modulesOf(config, threadId));
    tests.push(test);
    test.rows.then(
      (attacks = []) => {
        const open = openText({ ...pool, attacks });
        if (open !== undefined && !stopping) system.warn({ threadId }, open);
      },
      ({ message }: Error) => stopping || system.warn({ threadId }, message),
    );
  });
  // Not before the caller has the runtime, to listen to it.
  if (!tried) {
    setImmediate(() => {
      if (stopping) return;
      for (const mixed of mixedGrants(config.agents)) {
        system.warn({ threadId: mixed.threadId }, mixedGrantsText(mixed));
      }
      for (const open of readableStores(config)) {
        system.warn({ threadId: open.threadId }, readableStoreText(open));
      }
    });
  }

  return {
    async stopped(whole) {
      stopping = true;
      listening.unsubscribe();
      const cancelled = Promise.all(tests.map((test) => test.cancel()));
      await whole.finally(release);
      await within(systemClock, CANCEL_MS, cancelled, () => new Error('too late')).catch(() => {});
    },
  };
}
