import type { HoldfastError } from '../base/errors.ts';
import type { MailboxRow } from './durable-store.ts';
import type { SentEvent } from './sent-event.ts';

/** Called once: without an error when the event is kept, or was handled. */
export type Kept = (error?: HoldfastError) => void;

/** The row of one event, from the call that brought it to the commit of its turn. */
export class KeptRow {
  row: MailboxRow;
  /**
   * `held`: there is no record yet. `waiting`: it is to be written, or is being written. `stored`: it is written. `told`:
   * its turn is told.
   */
  state: 'held' | 'waiting' | 'stored' | 'told' = 'stored';
  /** What is known of it when an agent has sent it in this process. */
  readonly sent: SentEvent | undefined;
  #kept: Kept | undefined;

  constructor(row: MailboxRow, kept?: Kept, sent?: SentEvent) {
    this.row = row;
    this.sent = sent;
    this.#kept = kept;
  }

  get n(): number {
    return this.row.n;
  }

  settle(error?: HoldfastError): void {
    this.#kept?.(error);
    this.#kept = undefined;
  }
}
