import type { Subscription } from 'xstate';
import type { ThreadCause } from '../../actors/thread.ts';
import type { IncarnationEnd, StopReason } from '../base/endings.ts';
import { callUser } from '../base/user-call.ts';

export type WatchListener = (end: IncarnationEnd) => void;

/** Who has watchers. */
export interface Watched {
  /** A listener threw. */
  watcherThrew(error: unknown): void;
  /** There is another listener. */
  watcherAdded(): void;
}

/** The listeners for the end of the current incarnation or, between two incarnations, of the next one. */
export class Watchers {
  readonly #of: Watched;
  /** Exists while somebody listens. */
  #watchers: Set<WatchListener[]> | undefined;
  #last: IncarnationEnd | undefined;
  #final = false;

  constructor(of: Watched) {
    this.#of = of;
  }

  /** Whether somebody listens. */
  get any(): boolean {
    return this.#watchers !== undefined && this.#watchers.size > 0;
  }

  /** Registers a listener; when no further incarnation will follow, it is called with the end of the last one. */
  watch(listener: WatchListener): Subscription {
    // A box of its own, so that one listener may watch twice.
    const watcher = [listener];
    if (this.#final && this.#last !== undefined) this.#tell(watcher, this.#last);
    else {
      (this.#watchers ??= new Set()).add(watcher);
      this.#of.watcherAdded();
    }
    return {
      unsubscribe: () => {
        watcher.length = 0;
        this.#watchers?.delete(watcher);
      },
    };
  }

  /** Tells the end of an incarnation, which another may follow. */
  ended(end: IncarnationEnd): void {
    this.#last = end;
    const watchers = this.#watchers;
    this.#watchers = undefined;
    if (watchers !== undefined) for (const watcher of watchers) this.#tell(watcher, end);
  }

  /** No incarnation follows the last one. `end`: its end if not told yet, or a stop that came while another was to follow. */
  finished(end?: IncarnationEnd): void {
    this.#final = true;
    const last = end ?? this.#last;
    if (last !== undefined) this.ended(last);
  }

  /** Another incarnation follows after all. */
  resumed(): void {
    this.#final = false;
  }

  /** Calls the listener in a microtask: never in the middle of a change of the instance, or before `watch` has returned. */
  #tell(watcher: WatchListener[], end: IncarnationEnd): void {
    queueMicrotask(() => {
      callUser(
        () => watcher.pop()?.(end) as unknown,
        (error) => this.#of.watcherThrew(error),
      );
    });
  }
}

/** Returns why instances end with a thread. One that retires holds none; for an instance on its way there, it has exited. */
export function reasonOf(cause: ThreadCause): StopReason {
  if (cause === 'retired') return 'exit';
  return cause === 'recycled' ? 'stopped' : cause;
}
