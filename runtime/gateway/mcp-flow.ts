/** Characters of messages that a client has not read yet, beyond which an agent waits: as many as a stream has on its way. */
const MOST_UNREAD = 256 * 1024;

/** How much of an answer is on its way to the client, so that what is written goes at the pace of who reads. */
export class McpFlow {
  #unread = 0;
  #room = Promise.withResolvers<void>();

  wrote(count: number): void {
    this.#unread += count;
  }

  read(count: number): void {
    this.#unread = Math.max(0, this.#unread - count);
    if (this.#unread >= MOST_UNREAD) return;
    this.#room.resolve();
    this.#room = Promise.withResolvers();
  }

  /** Resolves when there is room for more, or nobody reads any more. */
  async room(signal: AbortSignal): Promise<void> {
    if (this.#unread < MOST_UNREAD || signal.aborted) return;
    const gone = Promise.withResolvers<void>();
    const resolve = (): void => gone.resolve();
    signal.addEventListener('abort', resolve, { once: true });
    await Promise.race([this.#room.promise, gone.promise]);
    signal.removeEventListener('abort', resolve);
  }
}
