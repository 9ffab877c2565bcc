import type { ServerResponse } from 'node:http';
import { HttpError } from './http-error.ts';
import { type Caller, OWNER } from './token-access.ts';

/** The size below which answers are not counted, because the system has room for them. */
const SHORT = 64 * 1024;
/** The most bytes of longer answers that clients of one token have not read yet. */
const MOST_BYTES = 64 * 1024 * 1024;
/** Milliseconds after which a client that takes nothing of its answer counts as gone. */
const STALLED_MS = 60_000;

/** Long answers on their way, by token, so that a client that asks and does not read fills no memory. */
export class UnreadAnswers {
  readonly #stalledMs: number;
  readonly #bytes = new Map<string, number>();

  /** A client that takes nothing for `stalledMs` is cut off. Default: a minute. */
  constructor(stalledMs: number = STALLED_MS) {
    this.#stalledMs = stalledMs;
  }

  /** @throws {HttpError} 429 when clients of the token leave too much unread */
  assertRoom({ name }: Pick<Caller, 'name'>): void {
    const unread = this.#bytes.get(name) ?? 0;
    if (unread <= MOST_BYTES || name === OWNER) return;
    const message = `clients of this token have not read ${unread} bytes of their answers; read them, or close the connections`;
    throw new HttpError(429, 'LIMIT_REACHED', message);
  }

  /** Counts an answer of so many bytes that is about to go out. */
  add({ name }: Pick<Caller, 'name'>, bytes: number, response: ServerResponse | undefined): void {
    if (bytes <= SHORT || response === undefined || response.closed) return;
    this.watch(response);
    this.#bytes.set(name, (this.#bytes.get(name) ?? 0) + bytes);
    response.once('close', () => {
      const left = (this.#bytes.get(name) ?? 0) - bytes;
      if (left > 0) this.#bytes.set(name, left);
      else this.#bytes.delete(name);
    });
  }

  /**
   * Cuts off a client that does not read. Output that is written now and then, such as a sign of life, is to be read
   * too.
   */
  watch(response: ServerResponse | undefined): void {
    response?.setTimeout(this.#stalledMs, () => response.destroy());
  }
}
