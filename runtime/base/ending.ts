/**
 * The end of something that others can end before its time. It is to an `AbortController` what is needed for each of
 * many short things, at a small part of the price; the real signal is made when somebody asks for it.
 */
export class Ending {
  #ended = false;
  #reason: unknown;
  #heard: Set<() => void> | undefined;
  #controller: AbortController | undefined;

  /** Ends it, once: later calls do nothing. */
  end(reason: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#reason = reason;
    const heard = this.#heard;
    this.#heard = undefined;
    this.#controller?.abort(reason);
    if (heard !== undefined) for (const hear of heard) hear();
  }

  get ended(): boolean {
    return this.#ended;
  }

  get reason(): unknown {
    return this.#reason;
  }

  throwIfEnded(): void {
    if (this.#ended) throw this.#reason as Error;
  }

  /** Calls `hear` when it ends, once. One that has ended already calls nobody. */
  onEnd(hear: () => void): void {
    if (!this.#ended) (this.#heard ??= new Set()).add(hear);
  }

  offEnd(hear: () => void): void {
    this.#heard?.delete(hear);
  }

  /** A signal that aborts with it, and with its reason. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#ended) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }
}
