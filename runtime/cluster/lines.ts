import type { Socket } from 'node:net';

/** The most bytes of a message between nodes: the largest state or event, twice, as text of text. */
const MOST_BYTES = 64 * 1024 * 1024;
const LINE_END = 10;

/** A socket that carries messages as lines of JSON. Those of one tick leave as one write. */
export class Lines {
  readonly #socket: Socket;
  #leaving: string[] = [];

  /**
   * `message`: called with each that comes, in order. `closed`: once, when nothing more comes. What is no line of JSON ends the
   * socket, and so does an error that `message` throws.
   */
  constructor(socket: Socket, message: (message: unknown) => void, closed: (error?: Error) => void) {
    this.#socket = socket;
    let parts: Buffer[] = [];
    let bytes = 0;
    let failure: Error | undefined;
    socket.on('data', (chunk: Buffer) => {
      try {
        let from = 0;
        for (let end = chunk.indexOf(LINE_END); end >= 0; end = chunk.indexOf(LINE_END, from)) {
          const line = Buffer.concat([...parts, chunk.subarray(from, end)]);
          [parts, bytes, from] = [[], 0, end + 1];
          message(JSON.parse(line.toString()));
          if (socket.destroyed) return;
        }
        parts.push(chunk.subarray(from));
        bytes += chunk.length - from;
        if (bytes > MOST_BYTES) throw new Error('a message is too large');
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    socket.on('error', (error: Error) => (failure = error));
    socket.once('close', () => closed(failure));
  }

  /** Returns whether the other side keeps up. */
  send(message: unknown): boolean {
    if (this.#leaving.push(JSON.stringify(message)) === 1)
      queueMicrotask(() => {
        const all = this.#leaving;
        this.#leaving = [];
        if (!this.#socket.destroyed) this.#socket.write(`${all.join('\n')}\n`);
      });
    return !this.#socket.writableNeedDrain;
  }

  end(): void {
    this.#socket.destroy();
  }
}
