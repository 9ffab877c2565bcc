import { within, type Clock } from '../base/clock.ts';
import type { Instance } from '../instance/instance.ts';
import type { ThreadHost } from '../threads/thread-host.ts';

/** Milliseconds between two checks whether agents still have events for each other. */
const LOOK_MS = 5;

export interface Draining {
  readonly clock: Clock;
  readonly instances: readonly Instance[];
  /** The threads that run now. */
  readonly threads: () => readonly ThreadHost[];
}

/**
 * Resolves with `true` when everything has been handled that was sent before, by the host and by agents to each other, and
 * with `false` after `timeoutMs`. Nothing more may be let in meanwhile; what agents' own timers start does not count.
 */
export async function drained(timeoutMs: number, { clock, instances, threads }: Draining): Promise<boolean> {
  const over = new AbortController();
  const handled = async (): Promise<boolean> => {
    await Promise.all(instances.map((instance) => instance.passed()));
    while (!over.signal.aborted && !(await isQuiet(threads()))) {
      await new Promise<void>((resolve) => {
        clock.setTimeout(resolve, LOOK_MS);
      });
    }
    return true;
  };
  const tooLate = new Error('the time to drain is up');
  try {
    return await within(clock, timeoutMs, handled(), () => tooLate);
  } catch {
    return false;
  } finally {
    over.abort();
  }
}

/**
 * Whether all threads are quiet at once, though each is asked by itself: an event that one sends another meanwhile begins a
 * turn there, or still waits, so it is enough that no turn has begun from the first question to the last answer.
 */
async function isQuiet(threads: readonly ThreadHost[]): Promise<boolean> {
  const turns = (): number => threads.reduce((sum, thread) => sum + thread.turns, 0);
  const before = turns();
  const quiet = await Promise.all(threads.map((thread) => thread.quiet()));
  return quiet.every(Boolean) && turns() === before;
}
