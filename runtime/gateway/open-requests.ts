import type { ServerResponse } from 'node:http';

/** Requests that are not answered yet. */
export class OpenRequests {
  readonly #open = new Set<ServerResponse>();
  #none: (() => void) | undefined;

  /** Counts the request until its answer is out, or its client gone. */
  add(response: ServerResponse): void {
    this.#open.add(response);
    response.once('close', () => this.remove(response));
  }

  /** Stops waiting for the request. */
  remove(response: ServerResponse): void {
    if (this.#open.delete(response) && this.#open.size === 0) this.#none?.();
  }

  /** Resolves when no request is open, or after `ms`. */
  async none(ms: number): Promise<void> {
    if (this.#open.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#none = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
  }
}
