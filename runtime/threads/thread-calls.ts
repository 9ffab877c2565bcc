import type { ThreadMethod } from '../wire/protocol.ts';
import type { Link } from '../wire/link.ts';
import type { HeldOutputs } from './held-outputs.ts';

export interface ThreadCallsOptions {
  readonly link: Pick<Link, 'call'>;
  /** Called before each call, so that the watchdog looks after the answer. */
  readonly called: () => void;
  /** Called when the answer does not fit the question, which makes the thread of no use; returns the error. */
  readonly broke: (what: string) => Error;
  /** Holds answers until what they rest on is committed. Default: they are held for nothing. */
  readonly held?: Pick<HeldOutputs, 'idle' | 'pass'> | undefined;
}

/** The calls of the host to one thread, which may answer anything. */
export class ThreadCalls {
  readonly #options: ThreadCallsOptions;

  constructor(options: ThreadCallsOptions) {
    this.#options = options;
  }

  call(method: ThreadMethod, ...args: readonly unknown[]): Promise<unknown> {
    const { called, link, held } = this.#options;
    called();
    const answer = link.call(method, ...args);
    return held === undefined ? answer : passed(answer, held);
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
    return this.#fitting(method, fits, this.callWithCare(method, args, refused));
  }

  /**
   * {@link answer}, with arguments whose error is thrown at once when they cannot be cloned. `heard` is called when the
   * thread has answered or is gone, whatever the answer then waits for.
   */
  answerHeard<T>(
    method: ThreadMethod,
    fits: (answer: unknown) => answer is T,
    args: readonly unknown[],
    heard: () => void,
  ): Promise<T> {
    const { called, link, held } = this.#options;
    called();
    const answer = link.call(method, ...args);
    answer.then(heard, heard);
    return this.#fitting(method, fits, held === undefined ? answer : passed(answer, held));
  }

  async #fitting<T>(
    method: ThreadMethod,
    fits: (answer: unknown) => answer is T,
    answered: Promise<unknown>,
  ): Promise<T> {
    const answer = await answered;
    if (fits(answer)) return answer;
    throw this.#options.broke(`a malformed answer to "${method}"`);
  }
}

async function passed(answer: Promise<unknown>, held: Pick<HeldOutputs, 'idle' | 'pass'>): Promise<unknown> {
  try {
    return await answer;
  } finally {
    if (!held.idle) await held.pass();
  }
}
