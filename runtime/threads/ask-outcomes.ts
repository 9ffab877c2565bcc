import type { ResolvedPool } from '../config/resolve.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Tag } from '../mailbox/tag.ts';
import { encodeError } from '../wire/errors.ts';
import { findErrors } from '../wire/errors-within.ts';
import { leaving } from '../wire/leaving.ts';
import type { Outcomes } from '../wire/protocol.ts';
import { sharedMemoryAdvice, sharesMemory } from '../wire/shared-memory.ts';

export interface AskOutcomesOptions {
  readonly pool: Pick<ResolvedPool, 'threadId' | 'sharedMemory'>;
  /** Throws at once when something cannot be cloned. */
  readonly tell: (outcomes: Outcomes) => void;
}

/** Tells a thread what became of the asks and deliveries of its durable instances, once for all that come together. */
export class AskOutcomes {
  readonly #options: AskOutcomesOptions;
  #items: unknown[] = [];

  constructor(options: AskOutcomesOptions) {
    this.#options = options;
  }

  answered(tag: Tag, value: unknown): void {
    const { threadId, sharedMemory } = this.#options.pool;
    if (sharedMemory || !sharesMemory(value)) this.#add(tag, true, value, findErrors(value));
    else this.failed(tag, unclonable(sharedMemoryAdvice(threadId)));
  }

  failed(tag: Tag, error: unknown): void {
    this.#add(tag, false, encodeError(error), undefined);
  }

  #add(...outcome: readonly [tag: Tag, isWell: boolean, what: unknown, errors: unknown]): void {
    if (this.#items.length === 0) queueMicrotask(() => this.#flush());
    this.#items.push(...outcome);
  }

  #flush(): void {
    const items = this.#items;
    this.#items = [];
    try {
      this.#tell(items);
    } catch (error) {
      if (items.length > 4) for (let i = 0; i < items.length; i += 4) this.#alone(items.slice(i, i + 4));
      else this.#tell([items[0], false, encodeError(error), undefined]);
    }
  }

  /** One that cannot cross takes no other with it. */
  #alone(outcome: readonly unknown[]): void {
    try {
      this.#tell(outcome);
    } catch (error) {
      this.#tell([outcome[0], false, encodeError(error), undefined]);
    }
  }

  #tell(items: readonly unknown[]): void {
    this.#options.tell(leaving(items, 1, 'REPLY_UNCLONABLE'));
  }
}

function unclonable(why: string): HoldfastError {
  return new HoldfastError('REPLY_UNCLONABLE', `the reply cannot cross: ${why}`);
}
