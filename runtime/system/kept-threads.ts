/** Those who wait for a thread to be replaced hear so that it is not. */
export class KeptThreads {
  readonly #waiting = new Map<string, Set<(why: Error) => void>>();

  /** The thread of that name goes on as it is. */
  tell(name: string, why: Error): void {
    for (const hear of this.#waiting.get(name) ?? []) hear(why);
  }

  /** Resolves when that is told; {@link forget} is to be called in any case. */
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
