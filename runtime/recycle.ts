import { within, type Clock } from './clock.ts';
import { HoldfastError } from './errors.ts';
import type { Instance } from './instance.ts';
import type { ThreadHost } from './thread-host.ts';

/** What the replacement of threads came to. */
export interface Recycled {
  /** Threads that were replaced. */
  readonly threads: number;
  /** Instances that went on elsewhere, with their state and as the same incarnation. */
  readonly moved: number;
  /**
   * Addresses of those that could not go in time: they were stopped before their thread ended, and restarted unless they
   * are `temporary`.
   */
  readonly restarted: readonly string[];
}

export interface RecycleOptions {
  readonly clock: Clock;
  /** Those that run now. */
  readonly hosts: readonly ThreadHost[];
  /** Milliseconds that the instances of one thread get to go elsewhere. */
  readonly timeoutMs: number;
  /** Has the pool replace a thread. */
  readonly replace: (host: ThreadHost) => void;
  /** Throws when the runtime is about to stop. */
  readonly assertRunning: () => void;
}

/** Beyond the time for its instances, for the thread to end and for a new one to start with them. */
const MARGIN_MS = 15_000;

/** Replaces threads one after the other, so that at any time all others of the pool are at work. */
export async function recycleThreads(options: RecycleOptions): Promise<Recycled> {
  const { clock, hosts, timeoutMs, replace, assertRunning } = options;
  let [threads, moved] = [0, 0];
  const restarted: string[] = [];
  for (const host of hosts) {
    assertRunning();
    // One that is starting is new.
    if (host.gone || !host.ready) continue;
    const before = host.occupants().map((instance) => occupant(instance, host));
    replace(host);
    await within(clock, timeoutMs + MARGIN_MS, host.exited, () => notEnded(host.name));
    threads += 1;
    for (const { instance, hasEnded } of before) {
      await within(clock, MARGIN_MS, instance.place(), () => notEnded(host.name)).catch(() => {});
      if (hasEnded()) restarted.push(instance.address);
      else if (instance.phase === 'running') moved += 1;
    }
  }
  return { threads, moved, restarted };
}

/** Whether it has ended with its thread, or after it; who was stopped before has not. */
function occupant(instance: Instance, host: ThreadHost): { instance: Instance; hasEnded: () => boolean } {
  const { incarnation } = instance;
  let withThread = false;
  const watch = instance.watchers.watch(() => {
    withThread = host.gone || host.hasWoundDown(instance);
  });
  return {
    instance,
    hasEnded() {
      watch.unsubscribe();
      return withThread || instance.incarnation !== incarnation;
    },
  };
}

function notEnded(name: string): HoldfastError {
  return new HoldfastError(
    'THREAD_HUNG',
    `${name} is to be replaced and does not end; runtime.status() says what it is doing`,
  );
}
