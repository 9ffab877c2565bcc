import { systemClock, within } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { StartStanding } from '../runtime.ts';
import type { HandedState } from './messages.ts';

/** How long a process that takes over waits for them before it serves; those that are slower start meanwhile. */
const STANDING_MS = 10_000;

/**
 * Starts the instances that the config lists and that are not there, in a process that takes over. What cannot be started keeps
 * nobody from all the others: it is in the log, and among what is lost.
 */
export async function beginStanding(
  start: StartStanding,
  lost: HandedState['lost'][number][],
  { logger, signal }: { readonly logger: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const started = start(({ address, error }) => {
    if (signal.aborted) return;
    const advice =
      'an instance that the config lists could not be started; fix it, then start it: holdfast agents start';
    logger.error({ address, error }, advice);
    lost.push({
      address,
      why: error instanceof Error ? error.message : 'it threw something that is not an Error',
    });
  });
  await within(systemClock, STANDING_MS, started, () => new Error('some start later')).catch(() => {});
}
