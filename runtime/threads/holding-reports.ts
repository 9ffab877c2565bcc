import { bytesIn, measure } from '../mailbox/size.ts';
import type { HeldOutputs } from './held-outputs.ts';
import type { ThreadReports } from './thread-reports.ts';

/** The most bytes that are held of one thread before its turns wait. */
const MOST_BYTES = 64 * 1024 * 1024;
/** The bytes that may come after that, from turns that were under way. */
const MORE_BYTES = 16 * 1024 * 1024;

export interface HoldingOptions {
  readonly reports: Pick<ThreadReports, 'commit' | 'pass' | 'receive' | 'overflow'>;
  readonly held: HeldOutputs;
  /** Whether the store fails or does not answer; until then what is held is bounded by what a thread does in a second. */
  readonly failing: () => boolean;
}

/**
 * Commits the states among the reports as they come, and lets the rest out when they are committed. While the store fails,
 * a thread that has told too much is not answered, so that its turns wait; an instance that adds to it all the same ends.
 */
export function holding({ reports, held, failing }: HoldingOptions) {
  return {
    receive(items: readonly unknown[]): Promise<void> | undefined {
      const unfit = reports.commit(items, held);
      if (held.idle) reports.receive(items, unfit);
      else {
        const waiting = reports.pass(items);
        const bytes = failing() ? bytesOf(waiting) : 0;
        const isRoom = held.bytes + bytes <= MOST_BYTES + MORE_BYTES;
        const told = isRoom ? waiting : reports.overflow(waiting);
        held.let(() => reports.receive(told, unfit, true), false, isRoom ? bytes : 0);
      }
      return held.bytes > MOST_BYTES ? held.pass() : undefined;
    },
  };
}

/** The estimate of what reports hold; what cannot be measured is not told either. */
function bytesOf(items: readonly unknown[]): number {
  try {
    return bytesIn(measure(items, Infinity)) ?? 0;
  } catch {
    return 0;
  }
}
