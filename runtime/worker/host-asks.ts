import { tooLate } from '../dead-letters/refusal.ts';
import type { Tag } from '../mailbox/tag.ts';
import { Waiting, type TimeoutClock } from '../mailbox/waiting.ts';
import { decodeError, type WireError } from '../wire/errors.ts';
import { restoreErrors, type ErrorsWithin } from '../wire/errors-within.ts';
import type { Outcomes, WaitOf } from '../wire/protocol.ts';
import { boundsOf } from './peer-wait.ts';
import type { PeerWait } from './thread-state.ts';

/** An event whose outcome an instance waits for. */
export interface HostAsk {
  readonly kind: 'ask' | 'delivery';
  readonly address: string;
  readonly wait: PeerWait;
  /** Has the event leave with that; what it throws is the outcome. */
  readonly leave: (wait: WaitOf) => void;
  /** Called once after `leave`, however the wait ends. */
  readonly settled: () => void;
}

/**
 * What the durable instances of a thread ask and deliver: it leaves with what they have sent, in one order and by way of
 * the host, which tells the outcomes.
 */
export class HostAsks {
  readonly #clock: TimeoutClock;
  readonly #waiting: Waiting;

  constructor(clock: TimeoutClock) {
    this.#clock = clock;
    this.#waiting = new Waiting(clock);
  }

  open({ kind, address, wait, leave, settled }: HostAsk): Promise<unknown> {
    const bounds = boundsOf(wait, address, this.#clock.now());
    if (bounds instanceof Error) return Promise.reject(bounds);
    const { timeoutMs, depth } = bounds;
    const options = {
      timeoutMs,
      signal: wait.signal,
      settled,
      onTimeout: (ms: number) => tooLate(address, kind, Math.round(ms)),
    };
    return this.#waiting.open(kind, options, (tag, deadline) => leave([tag, deadline, depth]));
  }

  /** The event has not left, and will not. */
  reject(tag: Tag, error: Error): void {
    this.#waiting.reject(tag, error);
  }

  /** Takes what the host tells. */
  take(outcomes: Outcomes): void {
    for (let i = 0; i + 3 < outcomes.length; i += 4) {
      const [tag, isWell, what, errors] = outcomes.slice(i, i + 4);
      if (isWell === true)
        this.#waiting.resolve(tag as Tag, restoreErrors(what, errors as ErrorsWithin | undefined));
      else this.#waiting.reject(tag as Tag, decodeError(what as WireError));
    }
  }
}
