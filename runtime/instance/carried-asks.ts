import { refusal, tooLate } from '../dead-letters/refusal.ts';
import type { Tag } from '../mailbox/tag.ts';
import type { Waiting } from '../mailbox/waiting.ts';
import type { Berth } from './berth.ts';
import type { CarriedAsk } from '../wire/protocol.ts';

/** An ask that an instance has put off, and that its next incarnation is to answer in another process. */
export interface AskToCarry extends Pick<CarriedAsk, 'incarnation' | 'ask' | 'type'> {
  /** Milliseconds for which the caller still waits. */
  readonly timeoutMs: number;
  /** Called with the promise of the answer, and with the tag of the ask in this process. */
  readonly taken: (answer: Promise<unknown>, tag: Tag) => void;
}

/** The asks that an instance takes over from another process or thread; once it runs, they are like its own. */
export class CarriedAsks {
  readonly #waiting: Waiting;
  readonly #address: string;
  readonly #asks: CarriedAsk[] = [];

  constructor(asks: readonly AskToCarry[], waiting: Waiting, of: { address: string; threadId: string }) {
    this.#waiting = waiting;
    this.#address = of.address;
    for (const { incarnation, ask, type, timeoutMs, taken } of asks) {
      const onTimeout = (): Error => tooLate(of.address, 'ask', timeoutMs);
      let known: Tag = 0;
      const answer = waiting.open('ask', { timeoutMs, onTimeout, of: of.threadId }, (tag, deadline) => {
        known = tag;
        this.#asks.push({ incarnation, ask, tag, deadline, ...(type !== undefined && { type }) });
      });
      taken(answer, known);
    }
  }

  /** Adds the asks that the instance takes along from one thread to another. */
  add(asks: readonly CarriedAsk[]): this {
    this.#asks.push(...asks);
    return this;
  }

  /** All asks, for the thread that is to answer them. */
  get all(): readonly CarriedAsk[] {
    return this.#asks;
  }

  /** The instance runs: puts the asks off on its seat, except those that it has answered already. */
  seated(berth: Pick<Berth, 'deferred'>, threadId: string): void {
    for (const { tag } of this.#asks.splice(0))
      if (this.#waiting.isOf(tag, threadId)) (berth.deferred ??= new Set()).add(tag);
  }

  /** Rejects all asks, because the instance will not run. */
  end(): void {
    const ended = (tag: Tag): void =>
      this.#waiting.reject(
        tag,
        refusal(this.#address, 'stopped', undefined, 'the ask could not be carried on; ask again'),
      );
    for (const { tag } of this.#asks.splice(0)) ended(tag);
  }
}
