import { within, type Clock } from './clock.ts';
import { HoldfastError } from './errors.ts';
import type { Instance } from './instance.ts';

/** What ends, and how. */
export interface ShutDown {
  readonly clock: Clock;
  /** In the order in which they are to end. */
  readonly instances: readonly Instance[];
  /** Resolves when what the instances were in is saved, or cannot be. */
  readonly saveStates: () => Promise<void>;
  /** Ends what the instances used. */
  readonly stopSecrets: () => Promise<void>;
  /** Resolves when all threads have ended. */
  readonly stopThreads: () => Promise<void>;
  /** Told when they do not. */
  readonly gaveUp: () => void;
}

/**
 * Ends a system within `timeoutMs`: half of it for mailboxes to empty, a quarter for instances to stop, a quarter for
 * threads to end. Whoever keeps its thread busy does not keep the others: the threads end in any case.
 */
export async function shutDown(timeoutMs: number, { clock, instances, ...what }: ShutDown): Promise<void> {
  const tooLate = (): Error => new HoldfastError('RUNTIME_STOPPED', 'the time to stop is up');
  // What waits for one that is quarantined is not handled.
  const running = instances.filter(({ quarantine }) => quarantine === undefined);
  const handled = Promise.all(running.map((instance) => instance.mailbox.passed()));
  await within(clock, timeoutMs / 2, handled, tooLate).catch(() => {});
  const ended = (async () => {
    for (const instance of instances) await instance.stop('shutdown');
    await what.saveStates();
    await what.stopSecrets();
  })();
  await within(clock, timeoutMs / 4, ended, tooLate).catch(() => {});
  await within(clock, timeoutMs / 4, what.stopThreads(), tooLate).catch(what.gaveUp);
}
