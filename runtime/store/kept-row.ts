import type { MailboxRow } from './durable-store.ts';
import type { IdInUse } from './kept-id.ts';
import type { SentEvent } from './sent-event.ts';

/** The most crashes that an event may be in hand at, see DEFAULTS in the design. */
const MOST_ATTEMPTS = 5;

/** Called once: without an error when the event is kept, or was handled. */
export type Kept = (error?: Error) => void;

/** One event of which something is kept, from the call that brought it to the commit of its turn: a row, an id, or both. */
export class KeptRow {
  /** Its number is 0 when only the id is kept. */
  row: MailboxRow;
  readonly id: IdInUse | undefined;
  /**
   * `held`: it is not to be written yet. `waiting`: it is to be written, or is being written. `stored`: it is written.
   * `told`: its turn is told.
   */
  state: 'held' | 'waiting' | 'stored' | 'told' = 'stored';
  /** Whether it waits until it is known whether an event with its id was handled before. */
  waits = false;
  /** What is known of it when an agent has sent it in this process. */
  readonly sent: SentEvent | undefined;
  /** The letter that the store has made of it, until it is a row again. */
  letter: string | undefined;
  /** Why the store does not have it, when it has no room for it. */
  unstored: Error | undefined;
  /** Whether the store counts its next crash already, because it was handed over in a careful start. */
  isNoted = false;
  /** Says that it is not in hand any more, where others wait for that. */
  over: (() => void) | undefined;
  #kept: Kept | undefined;

  constructor(row: MailboxRow, id?: IdInUse, kept?: Kept, sent?: SentEvent) {
    this.row = row;
    this.id = id;
    this.sent = sent;
    this.#kept = kept;
  }

  get n(): number {
    return this.row.n;
  }

  /** Whether it was in hand at as many crashes as it may be: it is not tried again. */
  get isPoison(): boolean {
    return this.row.attempts >= MOST_ATTEMPTS;
  }

  settle(error?: Error): void {
    this.#kept?.(error);
    this.#kept = undefined;
  }
}
