import { HoldfastError } from '../base/errors.ts';
import type { HostRows } from './host-rows.ts';
import type { Ledger } from './ledger.ts';
import type { MailboxRow } from './durable-store.ts';
import { letterIdOf, plainRow } from './row-letter.ts';
import type { SentEvent } from './sent-event.ts';
import type { Summons } from './summons.ts';

export interface UnbegunRowsOptions {
  readonly host: () => Pick<HostRows, 'add'>;
  /** The ledger of the instance that has the address, or is about to. */
  readonly ledgerAt: (address: string) => Pick<Ledger, 'isClosed' | 'rows'> | undefined;
  readonly summons: () => Pick<Summons, 'add' | 'has'>;
  /** A row that was written takes its place. */
  readonly deliver: (row: MailboxRow, sent: SentEvent) => void;
  /** The event stays a letter: nobody is there to handle it. */
  readonly stays: (sent: SentEvent, error?: unknown) => void;
}

/**
 * The rows of which the store has made letters, because their recipients had no record: where those begin, or are to be
 * started, each becomes a row again. A letter goes in the transaction that writes its row, so an end of the process finds
 * one of them.
 */
export class UnbegunRows {
  readonly #options: UnbegunRowsOptions;
  /** By the numbers of their rows: what waits for it to be known what becomes of events of before. */
  readonly #ends = new Map<number, () => void>();

  constructor(options: UnbegunRowsOptions) {
    this.#options = options;
  }

  /** The same, in the process before. Resolves when the event is a row again, stays a letter, or is left to the next process. */
  addEarlier(sent: SentEvent): Promise<void> {
    return new Promise((resolve) => {
      this.#ends.set(sent.row.n, resolve);
      this.add(sent);
    });
  }

  #over({ row: { n } }: SentEvent): void {
    this.#ends.get(n)?.();
    this.#ends.delete(n);
  }

  #stays(sent: SentEvent, error?: unknown): void {
    this.#options.stays(sent, error);
    this.#over(sent);
  }

  /** The store has made a letter of the row of that event. */
  add(sent: SentEvent): void {
    const { ledgerAt, summons } = this.#options;
    const { to } = sent.row;
    const ledger = ledgerAt(to);
    if (ledger?.rows.isNew === true) this.follow(ledger, sent);
    else if (sent.activate || summons().has(to)) summons().add({ ...sent, isLetter: true });
    else this.#stays(sent);
  }

  /** The recipient has begun, and gets the event once it has a record. */
  follow(ledger: Pick<Ledger, 'rows'>, sent: SentEvent): void {
    ledger.rows.again(sent, (error) => {
      if (error === undefined || isElsewhere(error)) this.#over(sent);
      else this.settle(sent, error);
    });
  }

  /** Nothing is to be waited for: the letter becomes a row where there is a record, and else stays one, which starts nobody. */
  settle(sent: SentEvent, error?: unknown): void {
    const { deliver, host } = this.#options;
    if (error !== undefined && isElsewhere(error)) return this.#over(sent);
    const row = plainRow(sent.row);
    host().add({
      row,
      letter: letterIdOf(row.n),
      written: () => {
        deliver(row, sent);
        this.#over(sent);
      },
      refused: (refused) => {
        if (isElsewhere(refused)) this.#over(sent);
        else this.#stays(sent, error);
      },
    });
  }
}

/** Whether others see to the event: nothing is written here any more, and the next process starts it, or another node has. */
function isElsewhere(error: unknown): boolean {
  return error instanceof HoldfastError && ELSEWHERE.has(error.code);
}

const ELSEWHERE: ReadonlySet<string> = new Set(['RUNTIME_STOPPED', 'STORE_LOCKED', 'REPLAY_REFUSED']);
