/** Something that the stream told: of events, `size` characters. */
export interface Told {
  readonly kind: string;
  readonly data: unknown;
  readonly size: number;
}

/** Characters that wait at most. */
const mostHeld = 16_000_000;

/**
 * Keeps what the stream tells while the reader looks at one moment, so that nothing of it is lost: up to a bound, from which on
 * it only counts.
 */
export class Held {
  #waiting: Told[] | undefined;
  #size = 0;
  #events = 0;
  #left = 0;
  #since = 0;

  get isHeld(): boolean {
    return this.#waiting !== undefined;
  }

  /** The moment that is held; now, when none is. */
  moment(now: number): number {
    return this.isHeld ? this.#since : now;
  }

  /** Events since, and how many of them do not wait. */
  get counts(): { readonly events: number; readonly left: number } {
    return { events: this.#events, left: this.#left };
  }

  hold(now: number): void {
    this.#waiting = [];
    this.#size = this.#events = this.#left = 0;
    this.#since = now;
  }

  take(told: Told): void {
    const { kind, data, size } = told;
    if (kind === 'status') {
      // What changed first and what changed then are one change.
      const before = this.#waiting?.find((other) => other.kind === 'status')?.data;
      this.#waiting = this.#waiting?.filter((other) => other.kind !== 'status');
      this.#waiting?.push({ kind, size, data: { ...Object(before), ...Object(data) } as object });
      return;
    }
    const count = kind === 'events' && Array.isArray(data) ? data.length : 0;
    this.#events += count;
    if (this.#left > 0 || this.#size + size > mostHeld) {
      // At least one: what all of it was about has to be told anew.
      this.#left += Math.max(count, 1);
      return;
    }
    this.#size += size;
    this.#waiting?.push(told);
  }

  /** What has waited, in its order. */
  release(): readonly Told[] {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    return waiting;
  }
}
