import type { Clock } from '../base/clock.ts';
import type { HoldfastError } from '../base/errors.ts';
import type { DurableStore } from './durable-store.ts';
import { asStoreError } from './store-outcome.ts';

/** Milliseconds without a commit after which the store is looked at: what probes a gateway does so about as often. */
const IDLE_MS = 10_000;
/** Milliseconds before the next look at a store that is away. */
const AWAY_MS = 2000;

export interface IdleLookOptions {
  readonly look: NonNullable<DurableStore['look']>;
  readonly clock: Clock;
  /** Since when nothing is on its way to the store, in milliseconds of the clock; undefined: something is. */
  readonly quietSince: () => number | undefined;
  /** What the look has found: nothing, or an error. */
  readonly found: (error: HoldfastError | undefined) => void;
}

/**
 * Looks at a store to which nothing is written: it may be elsewhere, and go away, or be another's, while nobody has anything to
 * commit. Where commits are under way they say so.
 */
export class IdleLook {
  readonly #options: IdleLookOptions;
  #timer: unknown;
  #isStopped = false;

  constructor(options: IdleLookOptions) {
    this.#options = options;
    this.#after(IDLE_MS);
  }

  stop(): void {
    this.#isStopped = true;
    this.#options.clock.clearTimeout(this.#timer);
  }

  #after(ms: number): void {
    const { clock } = this.#options;
    if (this.#isStopped) return;
    this.#timer = clock.setTimeout(() => void this.#turn(), ms);
    clock.unref?.(this.#timer);
  }

  async #turn(): Promise<void> {
    const { clock, found, look, quietSince } = this.#options;
    const since = quietSince();
    const quietMs = since === undefined ? 0 : clock.now() - since;
    if (quietMs < IDLE_MS) return this.#after(IDLE_MS - quietMs);
    let error: HoldfastError | undefined;
    try {
      await look();
    } catch (thrown) {
      error = asStoreError(thrown);
    }
    if (this.#isStopped) return;
    // A commit that was begun meanwhile says it itself.
    if (quietSince() === since) found(error);
    this.#after(error === undefined ? IDLE_MS : AWAY_MS);
  }
}
