import { HoldfastError } from '../base/errors.ts';
import type { Tag } from '../mailbox/tag.ts';
import type { MailboxRows } from '../store/mailbox-rows.ts';
import type { Place } from '../store/sent-event.ts';

interface Waiting {
  readonly event: object;
  readonly tag: Tag;
}

/**
 * What comes to an instance while events of the store are handed over to it with care: each waits for its place in the mailbox,
 * which is behind those.
 */
export class CarefulLine {
  readonly #all = new Set<Waiting>();
  readonly #onPlaced: (() => void)[] = [];

  /** The event waits until `put` is told what place there is for it. */
  add(rows: Pick<MailboxRows, 'followNow'>, waiting: Waiting, put: (place: Place) => void): void {
    this.#all.add(waiting);
    rows.followNow((place) => {
      if (!this.#all.delete(waiting)) return;
      put(place);
      this.#left();
    });
  }

  /** Whether the event of that tag waits for its place. */
  has(tag: Tag): boolean {
    for (const waiting of this.#all) if (waiting.tag === tag) return true;
    return false;
  }

  /** The tags of those whose outcome somebody waits for. */
  get awaited(): readonly Tag[] {
    return [...this.#all].flatMap(({ tag }) => (tag === 0 ? [] : [tag]));
  }

  /** Takes out the events whose outcome somebody waits for. */
  takeAwaited(): readonly Waiting[] {
    const awaited = [...this.#all].filter(({ tag }) => tag !== 0);
    for (const waiting of awaited) this.#all.delete(waiting);
    this.#left();
    return awaited;
  }

  #left(): void {
    if (this.#all.size === 0) for (const placed of this.#onPlaced.splice(0)) placed();
  }

  /** Resolves when none waits any more. */
  async placed(): Promise<void> {
    if (this.#all.size > 0) await new Promise<void>((resolve) => this.#onPlaced.push(resolve));
  }
}

/** The error for callers whose deadline passed before their event had a place in the mailbox. */
export function lateInLine(address: string, kind: 'ask' | 'delivery', ms: number): HoldfastError {
  const what = kind === 'ask' ? 'answer' : 'handle the event';
  return new HoldfastError(
    'ASK_TIMEOUT',
    `${address} did not ${what} within ${ms} ms: the process has ended twice without a stop, and what waits in the store is handed over ` +
      'with care first, one event after the other; ask again, or give it a longer timeoutMs',
  );
}
