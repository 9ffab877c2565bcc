import { systemClock, within } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { StartStanding } from '../runtime.ts';
import type { HandedState } from './messages.ts';

/** Milliseconds for which a process that takes over waits for them before it serves; slower ones start meanwhile. */
const STANDING_MS = 10_000;

/**
 * Starts the standing instances that are not there, in a process that takes over. An instance that cannot be started
 * keeps no other from its start: it is in the log, and among the lost ones.
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
