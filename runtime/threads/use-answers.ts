import { transferablesOf } from '../mailbox/transfer.ts';
import { encodeError } from '../wire/errors.ts';
import { flatCopy, NOT_FLAT } from '../wire/flat.ts';
import { leaving } from '../wire/leaving.ts';
import type { UsedCapabilities } from '../wire/protocol.ts';

export interface UseAnswersOptions {
  /** Tells the thread. Throws at once when something in it cannot be cloned. */
  readonly tell: (answers: UsedCapabilities, moving: readonly unknown[]) => void;
  /** Runs a function when the tick is over. Default: `process.nextTick`. */
  readonly soon?: (run: () => void) => void;
}

const soon = (run: () => void): void => process.nextTick(run);

/** What became of uses of capabilities, on its way to the thread: what is there in one tick leaves together. */
export class UseAnswers {
  readonly #options: UseAnswersOptions;
  #answers: unknown[] = [];

  constructor(options: UseAnswersOptions) {
    this.#options = options;
  }

  /** A result. One that is not flat leaves at once and alone, so that it takes no other with it if it cannot cross. */
  add(n: number, result: unknown): void {
    try {
      const copy = flatCopy(result);
      if (copy !== NOT_FLAT) return this.#push(n, 1, copy);
      const moving = transferablesOf([result]) ?? [];
      this.#options.tell([n, 1, leaving(result, 0, 'REPLY_UNCLONABLE', moving)], moving);
    } catch (error) {
      this.fail(n, error);
    }
  }

  fail(n: number, error: unknown): void {
    this.#push(n, 0, encodeError(error));
  }

  #push(n: number, ok: 0 | 1, value: unknown): void {
    this.#answers.push(n, ok, value);
    if (this.#answers.length === 3) (this.#options.soon ?? soon)(this.#tellAll);
  }

  readonly #tellAll = (): void => {
    const answers = this.#answers;
    this.#answers = [];
    this.#options.tell(answers, []);
  };
}
