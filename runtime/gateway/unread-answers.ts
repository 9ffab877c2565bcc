import type { ServerResponse } from 'node:http';
import { HttpError } from './http-error.ts';
import { type Caller, OWNER } from './token-access.ts';

/** Shorter answers are not counted: the system has room for them. */
const SHORT = 64 * 1024;
/** What clients of one token have not read yet, of longer ones. */
const MOST_BYTES = 64 * 1024 * 1024;
/** A client that takes nothing of its answer for so long is gone, or as good as. */
const STALLED_MS = 60_000;

/** Long answers that are on their way, by token: who asks and does not read fills no memory. */
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

  /** An answer of so many bytes is about to go out there. */
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

  /** Cuts off who does not read. What is written now and then, such as a sign of life, is to be read too. */
  watch(response: ServerResponse | undefined): void {
    response?.setTimeout(this.#stalledMs, () => response.destroy());
  }
}
