import { HoldfastError } from '../base/errors.ts';
import type { Ticket } from '../base/ticket.ts';
import type { HostDrafting, HostPart } from './committer.ts';
import type { KeptId, KeptLetter, MailboxRow } from './durable-store.ts';
import { MOST_ROWS } from './most-rows.ts';
import type { NodeCommitResult, RowOfLetter } from './partitioned-store.ts';

/** A row that is to be written. */
export interface PendingRow {
  readonly row: MailboxRow;
  /** The id of the letter that it was, which goes with it. */
  readonly letter?: string | undefined;
  /** Its id, which is open. */
  readonly id?: KeptId | undefined;
  /** It is written, and outlives the process. */
  written(): void;
  /** It is not written, and will not be; `full`: the store has no room for it, and goes on otherwise. */
  refused(error: HoldfastError, full?: boolean): void;
}

/** The rows of events that the host sends, until they are written. Numbers the rows of one opening of the store. */
export class HostRows implements HostDrafting {
  readonly #add: () => Ticket;
  readonly #step: number;
  #next: number;
  readonly #waiting = new Map<number, PendingRow>();
  #writing: readonly PendingRow[] = [];
  /** How often rows were in hand at a crash. */
  readonly #attempts = new Map<number, number>();
  /** What letters say from now on. */
  #letters: KeptLetter[] = [];

  /**
   * `firstRow` and `step`: as the store said when it was opened; with a step other nodes have it open too. `add` asks for the next
   * group.
   */
  constructor(firstRow: number, add: () => Ticket, step = 1) {
    this.#step = step;
    this.#next = firstRow;
    this.#add = add;
  }

  /** Returns the number for another row. */
  next(): number {
    const n = this.#next;
    this.#next += this.#step;
    return n;
  }

  /** Writes the row with the next group. */
  add(pending: PendingRow): void {
    this.#waiting.set(pending.row.n, pending);
    this.#add();
  }

  /** The row need not be written any more; returns `false` when it is being written, or was. */
  withdraw(n: number): boolean {
    return this.#waiting.delete(n);
  }

  /** The row was in hand at so many crashes; the ticket settles when that is written. */
  attempted(n: number, attempts: number): Ticket {
    this.#attempts.set(n, attempts);
    return this.#add();
  }

  /** The letters say something else; the ticket settles when that is written. */
  keepLetters(letters: readonly KeptLetter[]): Ticket {
    this.#letters.push(...letters);
    return this.#add();
  }

  draft(): HostPart | undefined {
    if (this.#waiting.size + this.#attempts.size + this.#letters.length === 0) return undefined;
    this.#writing = [...this.#waiting.values()];
    this.#waiting.clear();
    const ids = this.#writing.flatMap(({ id }) => id ?? []);
    const attempts = [...this.#attempts];
    this.#attempts.clear();
    const letters = this.#letters;
    this.#letters = [];
    const removedLetters = this.#writing.flatMap(({ letter }) => letter ?? []);
    return {
      rows: this.#writing.map((pending) => this.#rowOf(pending)),
      ...(removedLetters.length > 0 && { removedLetters }),
      ...(ids.length > 0 && { ids }),
      ...(attempts.length > 0 && { attempts }),
      ...(letters.length > 0 && { letters }),
    };
  }

  #rowOf({ row, letter }: PendingRow): RowOfLetter {
    return letter === undefined || this.#step === 1 ? row : { ...row, letter };
  }

  written({ unknown, full, refused, taken }: NodeCommitResult): void {
    const [gone, beyond, unstored] = [new Set(unknown), new Set(full), new Set(refused?.rows)];
    const elsewhere = new Set(taken);
    const written = this.#writing;
    this.#writing = [];
    for (const pending of written) {
      const { n, to } = pending.row;
      if (unstored.has(n)) pending.refused(storeFull(to), true);
      else if (beyond.has(n)) pending.refused(tooMany(to), true);
      else if (gone.has(n)) pending.refused(noRecord(to));
      else if (elsewhere.has(n)) pending.refused(takenLetter(to));
      else pending.written();
    }
  }

  /** Nothing is written any more. */
  lose(error: HoldfastError): void {
    const lost = [...this.#writing, ...this.#waiting.values()];
    this.#writing = [];
    this.#waiting.clear();
    for (const pending of lost) pending.refused(error);
  }
}

/** The error for an event of an instance for which the most events wait in the store. */
function tooMany(address: string): HoldfastError {
  return new HoldfastError(
    'MAILBOX_FULL',
    `${address}: ${MOST_ROWS} events wait for it in the store; let it handle some, and send this one again`,
  );
}

/** The error for an event for which the store has no room. */
function storeFull(address: string): HoldfastError {
  return new HoldfastError(
    'STORE_FAILED',
    `an event for ${address} was not taken, because the store has little room left; make room, or raise its maxBytes`,
  );
}

function noRecord(address: string): HoldfastError {
  return new HoldfastError(
    'AGENT_STOPPED',
    `${address}: it has ended; spawn it again, and replay the dead letter`,
  );
}

function takenLetter(address: string): HoldfastError {
  return new HoldfastError(
    'REPLAY_REFUSED',
    `${address}: the dead letter of this event is not there any more: another node has replayed it, or it was too old`,
  );
}
