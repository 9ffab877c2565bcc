import type { Progress } from '../wire/progress.ts';

export interface DeactivationsOptions {
  readonly progress: Pick<Progress, 'handled'>;
  /** Reserves a slot of the progress block, in which the thread counts the instances that it has stopped. */
  readonly takeSlot: () => { readonly slot: number; readonly base: number };
  /** Has the thread stop the instances in `slots`, in that order, and count them in the slot `counted`. */
  readonly call: (slots: readonly number[], counted: number) => Promise<unknown>;
}

interface Waiting {
  readonly slot: number;
  readonly stopped: () => void;
  readonly left: (reason: unknown) => void;
}

/**
 * Stops instances in their thread. All stops of the same tick go in one message, so that many instances need only one round
 * trip. The thread counts them in shared memory, so that the host knows which had not stopped when it dies.
 */
export class Deactivations {
  readonly #options: DeactivationsOptions;
  #next: Waiting[] = [];
  /** The stops that the thread was told of and has not answered, with the count before them. */
  readonly #told = new Set<{ readonly before: number; readonly all: readonly Waiting[] }>();
  #counted: number | undefined;
  /** The count when all instances asked for so far have been stopped. */
  #target = 0;

  constructor(options: DeactivationsOptions) {
    this.#options = options;
  }

  /** Stops the instance in a slot; resolves when it has stopped, and rejects when its thread ends before. */
  stop(slot: number): Promise<void> {
    return new Promise((stopped, left) => {
      this.#next.push({ slot, stopped, left });
      if (this.#next.length === 1) queueMicrotask(this.#send);
    });
  }

  /** Returns the slot of the instance that the thread is stopping, when it has the counting slot in hand. */
  stopping(inHand: number): number | undefined {
    if (inHand !== this.#counted) return undefined;
    const count = this.#options.progress.handled(inHand);
    for (const { before, all } of this.#told) {
      const waiting = all[(count - before) | 0];
      if (waiting !== undefined) return waiting.slot;
    }
    return undefined;
  }

  readonly #send = (): void => {
    const all = this.#next;
    this.#next = [];
    const { progress, takeSlot, call } = this.#options;
    if (this.#counted === undefined) {
      const { slot, base } = takeSlot();
      [this.#counted, this.#target] = [slot, base];
    }
    const counted = this.#counted;
    const before = this.#target;
    this.#target = (before + all.length) | 0;
    const told = { before, all };
    this.#told.add(told);
    call(
      all.map(({ slot }) => slot),
      counted,
    ).then(
      () => {
        this.#told.delete(told);
        for (const { stopped } of all) stopped();
      },
      (reason: unknown) => {
        this.#told.delete(told);
        const through = (progress.handled(counted) - before) | 0;
        all.forEach(({ stopped, left }, i) => (i < through ? stopped() : left(reason)));
      },
    );
  };
}
