import type { Progress } from '../wire/progress.ts';

export interface DeactivationsOptions {
  readonly progress: Pick<Progress, 'handled'>;
  /** A slot of the progress block in which the thread counts whom it has stopped. */
  readonly takeSlot: () => { readonly slot: number; readonly base: number };
  /** Has the thread stop those in `slots`, in that order, and count them in the slot `counted`. */
  readonly call: (slots: readonly number[], counted: number) => Promise<unknown>;
}

interface Waiting {
  readonly slot: number;
  readonly stopped: () => void;
  readonly left: (reason: unknown) => void;
}

/**
 * Has a thread stop instances. Those of the same breath go in one message, so that many take no round trip each. The thread
 * counts them in shared memory: whoever is not through when it dies, is known.
 */
export class Deactivations {
  readonly #options: DeactivationsOptions;
  #next: Waiting[] = [];
  /** Those that the thread was told of and has not answered about, with the count before them. */
  readonly #told = new Set<{ readonly before: number; readonly all: readonly Waiting[] }>();
  #counted: number | undefined;
  /** What the count is when all that were asked for have been stopped. */
  #target = 0;

  constructor(options: DeactivationsOptions) {
    this.#options = options;
  }

  /** Resolves when the instance in that slot has stopped; rejects when its thread ends before. */
  stop(slot: number): Promise<void> {
    return new Promise((stopped, left) => {
      this.#next.push({ slot, stopped, left });
      if (this.#next.length === 1) queueMicrotask(this.#send);
    });
  }

  /** The slot of the instance that the thread is stopping, when what it has in hand is the slot it counts in. */
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
