import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';

/** Milliseconds for another process to let go of the store: longer than any stop of a runtime takes. */
const WAIT_MS = 30_000;
const LOOK_MS = 250;

/**
 * Opens a store, and waits while another process has it: the service of a gateway whose front was killed finishes what it
 * has begun.
 *
 * @throws {HoldfastError} `STORE_LOCKED` after 30 s, and other errors at once
 */
export async function openedStore(
  open: () => Promise<void>,
  logger: Logger,
  waitMs: number = WAIT_MS,
): Promise<void> {
  const until = performance.now() + waitMs;
  for (let tries = 0; ; tries += 1) {
    try {
      return await open();
    } catch (error) {
      const isLocked = error instanceof HoldfastError && error.code === 'STORE_LOCKED';
      if (!isLocked || performance.now() > until) throw error;
      if (tries === 0)
        logger.warn({ error }, `the store is not free; the start waits for it up to ${waitMs} ms`);
      await delay(LOOK_MS);
    }
  }
}
