import type { HoldfastError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { OnStoreFailure } from '../store/durable-store.ts';

export interface StoreFailureOptions {
  readonly onFailure: OnStoreFailure;
  readonly logger: Logger;
  readonly stop: () => Promise<void>;
  /** Returns the names of the threads that did not end. */
  readonly stuck: () => readonly string[];
}

/** Does what the store asks for when it fails for long, or another process has it. */
export function storeFailed(
  error: HoldfastError,
  { onFailure, logger, stop, stuck }: StoreFailureOptions,
): void {
  if (onFailure === 'wait') return;
  if (onFailure === 'exit') {
    logger.error({ error }, 'the process ends, because its store fails and onFailure is "exit"');
    void end(stop, stuck);
    return;
  }
  try {
    onFailure(error);
  } catch (thrown) {
    logger.error({ error: thrown }, 'the function onFailure of the store threw');
  }
}

async function end(stop: StoreFailureOptions['stop'], stuck: StoreFailureOptions['stuck']): Promise<void> {
  await stop().catch(() => {});
  // exit() would wait for ever for a thread that a system call holds.
  if (stuck().length > 0) process.kill(process.pid, 'SIGKILL');
  process.exit(1);
}
