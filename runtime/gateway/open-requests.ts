import type { ServerResponse } from 'node:http';

/** Requests that are not answered yet. */
export class OpenRequests {
  #count = 0;
  #none: (() => void) | undefined;

  /** Counts it until its answer is out, or its client gone. */
  add(response: ServerResponse): void {
    this.#count += 1;
    response.once('close', () => {
      this.#count -= 1;
      if (this.#count === 0) this.#none?.();
    });
  }

  /** Resolves when there are none, or after `ms`. */
  async none(ms: number): Promise<void> {
    if (this.#count === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#none = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
  }
}
