import type { MailboxRow } from './durable-store.ts';
import type { IdInUse } from './kept-id.ts';
import type { SentEvent } from './sent-event.ts';

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

  settle(error?: Error): void {
    this.#kept?.(error);
    this.#kept = undefined;
  }
}
