interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

/** Keeps those waiting who need an instance to run, until it does, or will not. */
export class RunsGate {
  /** Settles when the instance first runs, or will not. */
  readonly started: Promise<void>;
  #first: Waiter | undefined;
  #waiting: Waiter[] | undefined;
  #opened = false;

  constructor() {
    this.started = new Promise((resolve, reject) => {
      this.#first = { resolve, reject };
    });
    // Who does not wait for the start hears of a failure through the twin.
    this.started.catch(() => {});
  }

  /** The instance has run. */
  get opened(): boolean {
    return this.#opened;
  }

  /** Somebody waits, or may: for the first start. */
  get awaited(): boolean {
    return !this.#opened || this.#waiting !== undefined;
  }

  /** Settles when the instance runs next, or will not. */
  next(): Promise<void> {
    return new Promise((resolve, reject) => {
      (this.#waiting ??= []).push({ resolve, reject });
    });
  }

  /** The instance runs. */
  open(): void {
    this.#opened = true;
    for (const waiter of this.#all()) waiter.resolve();
  }

  /** The instance will not run, unless somebody has it begin anew. */
  shut(error: unknown): void {
    for (const waiter of this.#all()) waiter.reject(error);
  }

  #all(): Waiter[] {
    const [first, waiting = []] = [this.#first, this.#waiting];
    this.#first = undefined;
    this.#waiting = undefined;
    return first === undefined ? waiting : [first, ...waiting];
  }
}
