import type { SentEvent } from './sent-event.ts';

/** The most events that wait for one recipient: the default capacity of a mailbox. */
const MOST = 1000;

export interface SummonsOptions {
  /**
   * Brings the recipient into memory, if there is one; undefined when there is nothing to wait for. Rejects with the error
   * of its start.
   */
  readonly summon: (sent: SentEvent) => Promise<unknown> | undefined;
  /** Hands over an event whose recipient is there, or is not. With the error of its start, if that has failed. */
  readonly hand: (sent: SentEvent, error?: unknown) => void;
  /** Hands over an event that has waited behind another one. */
  readonly again: (sent: SentEvent) => void;
  /** There is no room for the event. */
  readonly full: (sent: SentEvent) => void;
}

/** The events that wait for a recipient that is about to come into memory, in the order in which they were sent. */
export class Summons {
  readonly #options: SummonsOptions;
  readonly #waiting = new Map<string, SentEvent[]>();

  constructor(options: SummonsOptions) {
    this.#options = options;
  }

  /** Whether something waits for the recipient. */
  has(to: string): boolean {
    return this.#waiting.has(to);
  }

  /** The event goes to its recipient as soon as that is in memory. */
  add(sent: SentEvent): void {
    const { summon, full } = this.#options;
    const { to } = sent.row;
    const waiting = this.#waiting.get(to);
    if (waiting !== undefined) return waiting.length < MOST ? void waiting.push(sent) : full(sent);
    this.#waiting.set(to, [sent]);
    const coming = summon(sent);
    if (coming === undefined) return this.#come(to);
    coming.then(
      () => this.#come(to),
      (error: unknown) => this.#come(to, error),
    );
  }

  /** Takes out what waits for the recipient. */
  take(to: string): readonly SentEvent[] {
    const waiting = this.#waiting.get(to) ?? [];
    this.#waiting.delete(to);
    return waiting;
  }

  #come(to: string, error?: unknown): void {
    const { hand, again } = this.#options;
    const [first, ...rest] = this.take(to);
    if (first !== undefined) hand(first, error);
    for (const sent of rest) again(sent);
  }
}
