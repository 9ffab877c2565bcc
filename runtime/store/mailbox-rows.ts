import type { HoldfastError } from '../base/errors.ts';
import type { EncodedState, MailboxRow } from './durable-store.ts';
import type { HostRows } from './host-rows.ts';

/** Called once: without an error when the event is kept, or was handled. */
export type Kept = (error?: HoldfastError) => void;

/** The row of one event, from the call that brought it to the commit of its turn. */
export class KeptRow {
  readonly row: MailboxRow;
  /** `held`: there is no record yet. `told`: its turn is to be committed. */
  state: 'held' | 'waiting' | 'stored' | 'told' = 'stored';
  #kept: Kept | undefined;

  constructor(row: MailboxRow, kept?: Kept) {
    this.row = row;
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

/**
 * The rows in the mailbox of one durable instance. A row is written in the next group after it came, unless its turn was
 * told by then.
 */
export class MailboxRows {
  readonly #address: string;
  readonly #host: Pick<HostRows, 'next' | 'add' | 'withdraw'>;
  readonly #inHand = new Map<number, KeptRow>();
  /** Rows that wait for the first record of their instance; undefined once there is one. */
  #held: KeptRow[] | undefined = [];

  constructor(address: string, host: Pick<HostRows, 'next' | 'add' | 'withdraw'>) {
    this.#address = address;
    this.#host = host;
  }

  /** Whether the row has a place in the mailbox, or its turn is being committed. */
  has(n: number): boolean {
    return this.#inHand.has(n);
  }

  /** Keeps an event that takes its place in the mailbox now. */
  add(event: EncodedState, kept: Kept): KeptRow {
    const row: MailboxRow = { n: this.#host.next(), to: this.#address, event, dueAt: 0, attempts: 0 };
    const one = new KeptRow(row, kept);
    this.#inHand.set(row.n, one);
    one.state = 'held';
    if (this.#held === undefined) this.#write(one);
    else this.#held.push(one);
    return one;
  }

  /** A row of the store takes its place in the mailbox; undefined when it has it already. */
  stored(row: MailboxRow): KeptRow | undefined {
    if (this.#inHand.has(row.n)) return undefined;
    const one = new KeptRow(row);
    this.#inHand.set(row.n, one);
    return one;
  }

  /** The instance has a record, or will have one in the next group. */
  recorded(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    for (const one of held) if (one.state === 'held') this.#write(one);
  }

  /** The turn of the row is told. Returns the number of a row that has to be deleted with it. */
  told(one: KeptRow): number | undefined {
    const { n, state } = one;
    one.state = 'told';
    if (state === 'held' || (state === 'waiting' && this.#host.withdraw(n))) return undefined;
    return n;
  }

  /** The turn of the row is committed. */
  done(one: KeptRow): void {
    this.#inHand.delete(one.n);
    one.settle();
  }

  /** The row leaves the mailbox. With an error it is not kept unless the store has it; without, it is still written. */
  left(one: KeptRow, error: HoldfastError | undefined): void {
    this.#inHand.delete(one.n);
    if (error === undefined) return;
    if (one.state === 'waiting' && !this.#host.withdraw(one.n)) return;
    one.settle(error);
  }

  #write(one: KeptRow): void {
    one.state = 'waiting';
    this.#host.add({
      row: one.row,
      written: () => {
        if (one.state === 'waiting') one.state = 'stored';
        one.settle();
      },
      refused: (error) => one.settle(error),
    });
  }
}
