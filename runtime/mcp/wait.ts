import type { Clock } from '../base/clock.ts';
import { untilAborted } from '../base/until-aborted.ts';

/** Resolves after `ms`, or rejects with the signal's reason. */
export async function wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return;
  const over = Promise.withResolvers<void>();
  const timer = clock.setTimeout(over.resolve, ms);
  try {
    await untilAborted(signal, () => over.promise);
  } finally {
    clock.clearTimeout(timer);
  }
}
