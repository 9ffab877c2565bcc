import type { ThreadMethod } from '../wire/protocol.ts';
import type { Link } from '../wire/link.ts';

export interface ThreadCallsOptions {
  readonly link: Pick<Link, 'call'>;
  /** The thread is called: whether it answers is looked after. */
  readonly called: () => void;
  /** The thread answered past the question, and is of no use; returns why. */
  readonly broke: (what: string) => Error;
}

/** Calls of the host to one thread, which may answer anything. */
export class ThreadCalls {
  readonly #options: ThreadCallsOptions;

  constructor(options: ThreadCallsOptions) {
    this.#options = options;
  }

  call(method: ThreadMethod, ...args: readonly unknown[]): Promise<unknown> {
    this.#options.called();
    return this.#options.link.call(method, ...args);
  }

  /**
   * A call with what a user gave. What cannot be cloned is refused at once, by `refused`; what comes back is of the
   * agent, also when that could not clone something of its own.
   */
  callWithCare(
    method: ThreadMethod,
    args: readonly unknown[],
    refused: (error: unknown) => unknown,
  ): Promise<unknown> {
    try {
      return this.call(method, ...args);
    } catch (error) {
      throw refused(error);
    }
  }

  /** What the thread answers, if that fits. */
  async answer<T>(
    method: ThreadMethod,
    fits: (answer: unknown) => answer is T,
    args: readonly unknown[],
    refused: (error: unknown) => unknown = (error) => error,
  ): Promise<T> {
    const answer = await this.callWithCare(method, args, refused);
    if (fits(answer)) return answer;
    throw this.#options.broke(`a malformed answer to "${method}"`);
  }
}
