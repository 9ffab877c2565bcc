import { within, type Clock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import type { KeptThreads } from './kept-threads.ts';
import type { Tenant } from '../threads/tenant.ts';
import type { ThreadHost } from '../threads/thread-host.ts';

/** The result of replacing threads. */
export interface Recycled {
  /** The number of threads that were replaced. */
  readonly threads: number;
  /** The number of instances that moved, with their state and as the same incarnation. */
  readonly moved: number;
  /**
   * The addresses of the instances that could not move in time: they were stopped before their thread ended, and
   * restarted unless they are `temporary`.
   */
  readonly restarted: readonly string[];
  /** The threads that were not replaced, because no other could be started for them; absent when there are none. */
  readonly kept?: readonly KeptThread[];
  /**
   * The addresses of the instances that have left a thread and wait for another, which cannot be started; absent when
   * there are none. Their states and mailboxes are kept, and they continue as soon as a thread starts.
   */
  readonly waiting?: readonly string[];
}

/** A thread that was not replaced, because no other could be started for it. */
export interface KeptThread {
  /** `holdfast:<threadId>:<n>` */
  readonly thread: string;
  /** The reason why no other could be started. */
  readonly why: string;
}

export interface RecycleOptions {
  readonly clock: Clock;
  /** The threads to replace. */
  readonly hosts: readonly ThreadHost[];
  /** Milliseconds that the instances of one thread get to move. */
  readonly timeoutMs: number;
  /** Has the pool replace a thread. */
  readonly replace: (host: ThreadHost) => void;
  /** Watches for a thread that is kept after all. */
  readonly watchKept: KeptThreads['watch'];
  /** Throws when the runtime is stopping. */
  readonly assertRunning: () => void;
}

/** Milliseconds beyond the time for its instances, in which a thread must end and a new one start. */
const MARGIN_MS = 25_000;

/** Milliseconds that an instance gets to run elsewhere. */
const PLACE_MS = 15_000;

/** Replaces threads one after the other, so that all others of the pool are at work meanwhile. Rejects with `THREAD_HUNG`. */
export async function recycleThreads(options: RecycleOptions): Promise<Recycled> {
  const { clock, hosts, timeoutMs, replace, watchKept, assertRunning } = options;
  let [threads, moved] = [0, 0];
  const restarted: string[] = [];
  const waiting: string[] = [];
  const kept: KeptThread[] = [];
  for (const host of hosts) {
    assertRunning();
    // A thread that is starting is new already.
    if (host.gone || !host.ready) continue;
    const before = host.occupants().map((instance) => occupant(instance, host));
    const watch = watchKept(host.name);
    const exited = host.exited.then(() => undefined);
    const late = (): Error => notEnded(host.name);
    replace(host);
    const over = Promise.race([exited, watch.kept]);
    const why = await within(clock, timeoutMs + MARGIN_MS, over, late).finally(watch.forget);
    if (why !== undefined) {
      for (const { hasEnded } of before) hasEnded();
      kept.push({ thread: host.name, why: why.message });
      continue;
    }
    threads += 1;
    for (const { instance, hasEnded } of before) {
      // Where no thread starts for one instance, none starts for the others.
      if (instance.phase !== 'moving' || waiting.length === 0)
        await within(clock, PLACE_MS, instance.seated(), late).catch(() => {});
      if (hasEnded()) restarted.push(instance.address);
      else if (instance.phase === 'running') moved += 1;
      else if (instance.phase === 'moving') waiting.push(instance.address);
    }
  }
  return {
    threads,
    moved,
    restarted,
    ...(kept.length > 0 && { kept }),
    ...(waiting.length > 0 && { waiting }),
  };
}

/** Watches an instance of a thread. `hasEnded`: whether it ended with the thread or later; not if it was stopped before. */
function occupant(instance: Tenant, host: ThreadHost): { instance: Tenant; hasEnded: () => boolean } {
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
