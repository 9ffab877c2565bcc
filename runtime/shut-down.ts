import { within, type Clock } from './clock.ts';
import { HoldfastError } from './errors.ts';
import type { Instance } from './instance.ts';

/** What ends, and how. */
export interface ShutDown {
  readonly clock: Clock;
  /** Resolves when all that was sent before was handled, or half of the time is up. */
  readonly drained: Promise<unknown>;
  /** In the order in which they are to end. */
  readonly instances: () => readonly Instance[];
  /** Resolves when what the instances were in is saved, and what is known of them has gone out, or cannot. */
  readonly flush: () => Promise<void>;
  /** Ends what the instances used. */
  readonly stopSecrets: () => Promise<void>;
  /** Resolves when all threads have ended. */
  readonly stopThreads: () => Promise<void>;
  /** Told when they do not. */
  readonly gaveUp: () => void;
}

/**
 * Ends a system within `timeoutMs`: half of it for mailboxes to empty, a quarter for instances to stop, a quarter for
 * threads and secrets to end. Whoever keeps its thread busy does not keep the others: the threads end in any case.
 */
export async function shutDown(timeoutMs: number, { clock, ...what }: ShutDown): Promise<void> {
  const tooLate = (): Error => new HoldfastError('RUNTIME_STOPPED', 'the time to stop is up');
  await what.drained;
  const ended = (async () => {
    for (const instance of what.instances()) await instance.stop('shutdown');
    await what.flush();
  })();
  await within(clock, timeoutMs / 4, ended, tooLate).catch(() => {});
  // Whatever those before have come to: no secret outlives them.
  const secrets = within(clock, timeoutMs / 4, what.stopSecrets(), tooLate).catch(() => {});
  await within(clock, timeoutMs / 4, what.stopThreads(), tooLate).catch(what.gaveUp);
  await secrets;
}
