interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

/** Holds callers who need a running instance until it runs, or will not. */
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
    // A caller who does not wait for the start learns of a failure through the twin.
    this.started.catch(() => {});
  }

  /** Whether the instance has run. */
  get opened(): boolean {
    return this.#opened;
  }

  /** Whether somebody waits, or may wait for the first start. */
  get awaited(): boolean {
    return !this.#opened || this.#waiting !== undefined;
  }

  /** Settles when the instance runs next, or will not. */
  next(): Promise<void> {
    return new Promise((resolve, reject) => {
      (this.#waiting ??= []).push({ resolve, reject });
    });
  }

  /** Resolves all waits: the instance runs. */
  open(): void {
    this.#opened = true;
    for (const waiter of this.#all()) waiter.resolve();
  }

  /** Rejects all waits: the instance will not run unless somebody resumes it. */
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
