import type { Clock } from '../base/clock.ts';
import type { Self } from './thread-state.ts';

/**
 * The time between two lines about late acts: the first act has a line at once, later ones are counted, often enough
 * to be noticed.
 */
const INTERVAL_MS = 30_000;

/** Acts of code whose incarnation has ended: they are refused, and logged without a line for each. */
export interface LateActs {
  add(self: Self, what: string): void;
}

export function createLateActs(warn: (message: string) => void, clock: Pick<Clock, 'setTimeout'>): LateActs {
  /** Acts refused since the last line. */
  const untold = new Map<Self, number>();

  function tell(self: Self): void {
    const more = untold.get(self) as number;
    untold.delete(self);
    if (more === 0) return;
    warn(`${whose(self)}, which has ended, was refused ${more} more`);
    wait(self);
  }

  function wait(self: Self): void {
    untold.set(self, 0);
    clock.setTimeout(() => tell(self), INTERVAL_MS);
  }

  return {
    add(self, what) {
      const count = untold.get(self);
      if (count !== undefined) {
        untold.set(self, count + 1);
        return;
      }
      warn(
        `${whose(self)}, which has ended, was refused ${what}: something that it began still runs; have it end in the ` +
          'cleanup of a callback, in unsubscribe, or by the abort signal of a promise',
      );
      wait(self);
    },
  };
}

function whose({ address, incarnation }: Self): string {
  return `incarnation ${incarnation} of ${address}`;
}
