interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

/** Holds callers who need a running instance until it runs, or will not. It has no promise that nobody waits for. */
export class RunsGate {
  /** Those who wait for the first start, and share one promise. */
  #first: (Waiter & { readonly started: Promise<void> }) | undefined;
  #waiting: Waiter[] | undefined;
  #opened = false;
  /** Why the instance will not run, when it has not run before. */
  #shut: { readonly error: unknown } | undefined;

  /** Settles when the instance first runs, or will not. */
  get started(): Promise<void> {
    if (this.#shut !== undefined) return unheard(Promise.reject(this.#shut.error));
    if (this.#opened) return Promise.resolve();
    if (this.#first === undefined) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.#first = { started: unheard(promise), resolve, reject };
    }
    return this.#first.started;
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
    if (!this.#opened) this.#shut ??= { error };
    for (const waiter of this.#all()) waiter.reject(error);
  }

  #all(): Waiter[] {
    const [first, waiting = []] = [this.#first, this.#waiting];
    this.#first = undefined;
    this.#waiting = undefined;
    return first === undefined ? waiting : [first, ...waiting];
  }
}

/** A caller who does not wait for the start learns of a failure through the twin. */
function unheard(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}
