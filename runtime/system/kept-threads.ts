/** Tells callers who wait for the replacement of a thread that the thread is kept. */
export class KeptThreads {
  readonly #waiting = new Map<string, Set<(why: Error) => void>>();

  /** The thread of that name is not replaced, for the reason `why`. */
  tell(name: string, why: Error): void {
    for (const hear of this.#waiting.get(name) ?? []) hear(why);
  }

  /** `kept` resolves with the reason when the thread of that name is kept. Call `forget` in any case. */
  watch(name: string): { readonly kept: Promise<Error>; readonly forget: () => void } {
    const waiting = this.#waiting.get(name) ?? new Set();
    this.#waiting.set(name, waiting);
    let hear: (why: Error) => void = () => {};
    const kept = new Promise<Error>((resolve) => {
      hear = resolve;
    });
    waiting.add(hear);
    const forget = (): void => {
      waiting.delete(hear);
      if (waiting.size === 0) this.#waiting.delete(name);
    };
    return { kept, forget };
  }
}
