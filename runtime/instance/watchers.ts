import type { Subscription } from 'xstate';
import type { ThreadCause } from '../../actors/thread.ts';
import type { IncarnationEnd, StopReason } from '../base/endings.ts';
import { callUser } from '../base/user-call.ts';

export type WatchListener = (end: IncarnationEnd) => void;

/** Those who want to know when the incarnation ends that runs now or, between two of them, the next one. */
export class Watchers {
  readonly #threw: (error: unknown) => void;
  #watchers = new Set<WatchListener[]>();
  #last: IncarnationEnd | undefined;
  #final = false;

  /** `threw` hears of what a listener throws. */
  constructor(threw: (error: unknown) => void) {
    this.#threw = threw;
  }

  /** When there will be no further incarnation, the listener hears of the last one. */
  watch(listener: WatchListener): Subscription {
    // A box of its own, so that one listener may watch twice.
    const watcher = [listener];
    if (this.#final && this.#last !== undefined) this.#tell(watcher, this.#last);
    else this.#watchers.add(watcher);
    return {
      unsubscribe: () => {
        watcher.length = 0;
        this.#watchers.delete(watcher);
      },
    };
  }

  /** An incarnation ended; another may follow. */
  ended(end: IncarnationEnd): void {
    this.#last = end;
    const watchers = this.#watchers;
    this.#watchers = new Set();
    for (const watcher of watchers) this.#tell(watcher, end);
  }

  /** None follows the last one; `end` when that has not been told yet, or a stop came while it was to follow. */
  finished(end?: IncarnationEnd): void {
    this.#final = true;
    const last = end ?? this.#last;
    if (last !== undefined) this.ended(last);
  }

  /** There will be a next one after all. */
  resumed(): void {
    this.#final = false;
  }

  /** In a microtask: nobody watches from within a change of the instance, or before `watch` has returned. */
  #tell(watcher: WatchListener[], end: IncarnationEnd): void {
    queueMicrotask(() => {
      callUser(() => watcher.pop()?.(end) as unknown, this.#threw);
    });
  }
}

/** A thread that retires holds no instance; if one was on its way there, the thread was gone for it. */
export function reasonOf(cause: ThreadCause): StopReason {
  if (cause === 'retired') return 'exit';
  return cause === 'recycled' ? 'stopped' : cause;
}
