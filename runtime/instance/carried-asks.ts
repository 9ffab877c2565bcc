import { refusal, tooLate } from '../dead-letters/refusal.ts';
import type { Tag } from '../mailbox/tag.ts';
import type { Waiting } from '../mailbox/waiting.ts';
import type { Berth } from './berth.ts';
import type { CarriedAsk } from '../wire/protocol.ts';

/** An ask that an instance has put off, and that its next incarnation is to answer, in another process. */
export interface AskToCarry extends Pick<CarriedAsk, 'incarnation' | 'ask'> {
  /** Milliseconds for which somebody still waits. */
  readonly timeoutMs: number;
  /** Is given what the ask comes to, and the tag under which it is known here. */
  readonly taken: (answer: Promise<unknown>, tag: Tag) => void;
}

/** The asks that one instance takes over from another process or thread, until it runs: from then on they are like its own. */
export class CarriedAsks {
  readonly #waiting: Waiting;
  readonly #address: string;
  readonly #asks: CarriedAsk[] = [];

  constructor(asks: readonly AskToCarry[], waiting: Waiting, of: { address: string; threadId: string }) {
    this.#waiting = waiting;
    this.#address = of.address;
    for (const { incarnation, ask, timeoutMs, taken } of asks) {
      const onTimeout = (): Error => tooLate(of.address, 'ask', timeoutMs);
      let known: Tag = 0;
      const answer = waiting.open('ask', { timeoutMs, onTimeout, of: of.threadId }, (tag, deadline) => {
        known = tag;
        this.#asks.push({ incarnation, ask, tag, deadline });
      });
      taken(answer, known);
    }
  }

  /** Those that the instance takes along as it leaves one thread for another. */
  add(asks: readonly CarriedAsk[]): this {
    this.#asks.push(...asks);
    return this;
  }

  /** For the thread. */
  get all(): readonly CarriedAsk[] {
    return this.#asks;
  }

  /** It runs, and may have answered some of them already. */
  seated({ deferred }: Pick<Berth, 'deferred'>, threadId: string): void {
    for (const { tag } of this.#asks.splice(0)) if (this.#waiting.isOf(tag, threadId)) deferred.add(tag);
  }

  /** It will not run. */
  end(): void {
    const ended = (tag: Tag): void =>
      this.#waiting.reject(
        tag,
        refusal(this.#address, 'stopped', undefined, 'the ask could not be carried on; ask again'),
      );
    for (const { tag } of this.#asks.splice(0)) ended(tag);
  }
}
