import type { ThreadMethod } from '../wire/protocol.ts';
import type { Link } from '../wire/link.ts';

export interface ThreadCallsOptions {
  readonly link: Pick<Link, 'call'>;
  /** Called before each call, so that the watchdog looks after the answer. */
  readonly called: () => void;
  /** Called when the answer does not fit the question, which makes the thread of no use; returns the error. */
  readonly broke: (what: string) => Error;
}

/** The calls of the host to one thread, which may answer anything. */
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
   * Calls the thread with arguments from a user. `refused` makes the error for arguments that cannot be cloned, which is
   * thrown at once; a rejection comes from the agent, also when that could not clone something of its own.
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

  /** Resolves with the answer of the thread if it fits, and otherwise fails the thread. */
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
