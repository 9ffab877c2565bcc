/** Somebody whose state is committed. */
export interface Committing {
  readonly slot: number;
}

export interface CommitsOptions {
  /** Tells the host all that is to be told. */
  readonly flush: () => void;
  /**
   * Resolves when everything that the host was told before is committed, with those of the slots whose instances another
   * runtime has continued.
   */
  readonly committed: (slots: readonly number[]) => Promise<readonly number[]>;
  /** Something was let out. */
  readonly letOut: () => void;
}

interface Waiting {
  readonly of: Committing;
  readonly run: () => void;
}

/**
 * Holds in a thread what does not leave by way of its host, until the states that it rests on are committed. The host is
 * asked only while something waits, once for everything of one turn of the event loop.
 */
export class Commits {
  readonly #options: CommitsOptions;
  #waiting: Waiting[] = [];
  #asked = 0;
  #passing: (() => void)[] = [];

  constructor(options: CommitsOptions) {
    this.#options = options;
  }

  /** Whether something waits. */
  get busy(): boolean {
    return this.#waiting.length > 0 || this.#asked > 0;
  }

  /** Runs when what the instance has told, or is about to tell, is committed; never when it is another runtime's. */
  after(of: Committing, run: () => void): void {
    this.#waiting.push({ of, run });
    if (this.#waiting.length === 1) queueMicrotask(() => void this.#ask());
  }

  /** Resolves when nothing waits. */
  passed(): Promise<void> | undefined {
    return this.busy ? new Promise((resolve) => this.#passing.push(resolve)) : undefined;
  }

  async #ask(): Promise<void> {
    const { flush, committed, letOut } = this.#options;
    flush();
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#asked += 1;
    // Without a host nobody is left to whom it could be let out.
    const slots = [...new Set(waiting.map(({ of }) => of.slot))];
    const fenced = new Set(await committed(slots).catch(() => slots));
    this.#asked -= 1;
    for (const { of, run } of waiting) if (!fenced.has(of.slot)) run();
    letOut();
    if (!this.busy) for (const passed of this.#passing.splice(0)) passed();
  }
}
