import type { Lane, Scheduler } from './scheduler.ts';
import type { StoreWay } from './store-way.ts';

/** One direction of the way between a process and its store. */
class Direction implements Lane {
  readonly #what: string;
  readonly #scheduler: Scheduler;
  #isCut = false;
  readonly #waiting: { readonly call: string; readonly go: () => void }[] = [];

  constructor(what: string, scheduler: Scheduler) {
    this.#what = what;
    this.#scheduler = scheduler;
    scheduler.add(this);
  }

  get ready(): boolean {
    return this.#waiting.length > 0;
  }

  run(): string {
    const next = this.#waiting.shift();
    next?.go();
    return `${this.#what} ${next?.call ?? ''}`;
  }

  pass(call: string): Promise<void> {
    if (this.#isCut) return Promise.resolve();
    return new Promise((go) => {
      this.#waiting.push({ call, go });
      this.#scheduler.wake();
    });
  }

  cut(): void {
    this.#isCut = true;
    this.#scheduler.remove(this);
    for (const { go } of this.#waiting.splice(0)) go();
  }
}

/** A way to a store on which the scheduler says what happens next: turns go on while a commit is under way. */
export function scheduledStoreWay(scheduler: Scheduler): StoreWay {
  const there = new Direction('the store gets', scheduler);
  const back = new Direction('the host gets from the store the answer to', scheduler);
  return {
    there: (call) => there.pass(call),
    work: (work) => scheduler.hold(work),
    back: (call) => back.pass(call),
    cut() {
      there.cut();
      back.cut();
    },
  };
}
