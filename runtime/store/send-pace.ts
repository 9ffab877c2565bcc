import type { CommitResult } from './durable-store.ts';
import type { SentEvent } from './sent-event.ts';

/** Who sends to those for whom many events wait does so more slowly, so that they come to an end of them. */
export class SendPace {
  readonly #slow: (isSlow: boolean) => void;
  #isSlow = false;

  /** `slow`: the sender is to get its events one by one, or as before. */
  constructor(slow: (isSlow: boolean) => void) {
    this.#slow = slow;
  }

  /** What was sent is committed. */
  committed(sends: readonly SentEvent[] | undefined, { crowded }: Pick<CommitResult, 'crowded'>): void {
    if (crowded === undefined && !this.#isSlow) return;
    const to = new Set(crowded);
    const isSlow = sends?.some(({ isPlain, row }) => !isPlain && to.has(row.to)) === true;
    if (isSlow === this.#isSlow) return;
    this.#isSlow = isSlow;
    this.#slow(isSlow);
  }
}
