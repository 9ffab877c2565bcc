import type { HeldOutputs } from './held-outputs.ts';
import type { ThreadReports } from './thread-reports.ts';

/** Commits the states among the reports as they come, and lets the rest out when they are committed. */
export function holding(
  reports: Pick<ThreadReports, 'commit' | 'receive'>,
  held: HeldOutputs,
): Pick<ThreadReports, 'receive'> {
  return {
    receive(items) {
      const { ticket, unfit } = reports.commit(items);
      if (ticket !== undefined) held.hold(ticket);
      held.let(() => reports.receive(items, unfit));
    },
  };
}
