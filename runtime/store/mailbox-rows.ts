import { later, LONGEST_TIMER_MS, type Clock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Ticket } from '../base/ticket.ts';
import { CAREFUL_ROWS, type CarefulStart, PROCESS_CRASHES } from './careful-start.ts';
import type { DurableStore, EncodedState, MailboxRow } from './durable-store.ts';
import type { HostRows } from './host-rows.ts';
import type { IdInUse } from './kept-id.ts';
import type { KeptIds } from './kept-ids.ts';
import { type Kept, KeptRow } from './kept-row.ts';
import { MOST_ROWS } from './most-rows.ts';
import { letterIdOf, plainRow } from './row-letter.ts';
import type { Place, SentEvent } from './sent-event.ts';

export interface MailboxRowsOptions {
  readonly address: string;
  readonly store: Pick<DurableStore, 'rows'>;
  /** Writes the rows of events from the host. */
  readonly host: Pick<HostRows, 'next' | 'add' | 'withdraw' | 'attempted'>;
  readonly clock: Clock;
  /** The careful start, while there is one. */
  readonly careful: () => Pick<CarefulStart, 'alone'> | undefined;
  /** The ids of its events. */
  readonly ids: Pick<KeptIds, 'ofRow' | 'openId'>;
  /** The most rows that are read at a time: as many as the mailbox takes. */
  readonly capacity: number;
  /** Puts rows of the store into the mailbox; `first`: before all that is there, of which nothing was sent. */
  readonly arrived: (rows: readonly KeptRow[], first: boolean) => void;
  /** Takes a row out of the mailbox again; returns whether that was in time. */
  readonly retract: (row: KeptRow) => boolean;
  /** Whether the mailbox has room for another row. */
  readonly hasRoom: () => boolean;
  /** Gives an event that the store does not have its place. */
  readonly place: (sent: SentEvent, place: Place) => void;
  /** A row is written after the instance has left memory. */
  readonly strayed: (row: MailboxRow) => void;
  /** Rows are damaged: the instance cannot go on without them. */
  readonly damaged: (error: HoldfastError) => void;
  readonly warn: (fields: object, message: string) => void;
}

/** The rows that are read in one go, while those are looked for that may be handled now. */
const CHUNK = 1000;
/** Milliseconds before rows that could not be read are read again. */
const RETRY_MS = 1000;

/**
 * The rows of one durable instance: those in its mailbox, and what is known of the others. A row is written in the next
 * group after it came, unless its turn was told by then. When the mailbox has no place for it, or its time has not come, it
 * waits in the store, and takes its place with a page of others.
 */
export class MailboxRows {
  readonly #options: MailboxRowsOptions;
  /** Rows with a place in the mailbox, and those whose turns are not committed yet. */
  readonly #inHand = new Map<number, KeptRow>();
  /** When the rows are due whose time has not come; undefined while there was none. */
  #later: Map<number, number> | undefined;
  #timer: unknown;
  #timerAt = Infinity;
  /** Rows that wait for the first record of their instance; undefined once there is one. */
  #held: KeptRow[] | undefined = [];
  /** The rows that may be handled now and have no place, and whether they are written. */
  readonly #behind = new Map<number, boolean>();
  /** Those of them that were letters, and some that have a place by now. */
  readonly #again = new Set<number>();
  /** Whether the store may have other rows like that. */
  #unread = false;
  /** The time of a row has come since the last page was begun. */
  #isDue = false;
  /** The first page is read with the record. */
  #reading = true;
  /** The rows wait for the start of the instance: in a careful one, and where it is quarantined for their damage. */
  #isHeld = false;
  /** Rows are on their way from the store to the mailbox. */
  #isFilling = false;
  #isOpen = false;
  /** Events that the store does not have, and that came before the first page was read. */
  readonly #following: SentEvent[] = [];
  /** The number of the first row that the last page did not take. */
  #next = Infinity;
  #closed = false;

  constructor(options: MailboxRowsOptions) {
    this.#options = options;
  }

  /** Whether rows wait for a place in the mailbox: whatever else comes has to wait behind them. */
  get more(): boolean {
    return this.#unread || this.#isFilling || this.#behind.size > 0;
  }

  /** Whether a row has a place in the mailbox, waits for one, or its turn is not committed. */
  get any(): boolean {
    return this.more || this.#reading || this.#inHand.size > 0;
  }

  /** Whether the store has as many rows of the instance as it may. */
  get full(): boolean {
    return this.#inHand.size + this.#behind.size + (this.#later?.size ?? 0) >= MOST_ROWS;
  }

  /** Until when a row waits that is not to be handled before `at`; 0: it need not wait. */
  dueAt(at: number): number {
    return at <= this.#options.clock.date() ? 0 : Math.ceil(at);
  }

  /**
   * Keeps an event. `placed`: it takes its place in the mailbox now; otherwise it waits in the store, until `dueAt` in any
   * case. One with an id is not written before {@link release}.
   */
  add(event: EncodedState, dueAt: number, placed: boolean, kept: Kept, id?: IdInUse): KeptRow {
    const { address: to, host } = this.#options;
    const named = id && { caller: id.names.caller, id: id.names.id };
    const row = new KeptRow({ n: host.next(), to, event, dueAt, attempts: 0, ...named }, id, kept);
    row.state = 'held';
    row.waits = id !== undefined;
    if (placed) this.#inHand.set(row.n, row);
    else if (dueAt === 0) this.#behind.set(row.n, false);
    if (this.#held !== undefined) this.#held.push(row);
    else if (!row.waits) this.#write(row);
    return row;
  }

  /** Whether the instance has no record yet. */
  get isNew(): boolean {
    return this.#held !== undefined && !this.#closed;
  }

  /** Keeps an event of which the store has made a letter: it is a row again once the instance has a record. */
  again(sent: SentEvent, refused: (error: Error) => void): void {
    const { address } = this.#options;
    if (this.full) return refused(noRoom(address));
    const { n } = sent.row;
    const row = new KeptRow(plainRow(sent.row), undefined, (error) => error && refused(error), sent);
    row.state = 'held';
    row.letter = letterIdOf(n);
    this.#behind.set(n, false);
    this.#again.add(n);
    if (this.#held !== undefined) this.#held.push(row);
    else this.#write(row);
  }

  /** Whether rows that were letters wait for a place. */
  get #isAgain(): boolean {
    for (const n of this.#again) {
      if (this.#behind.has(n)) return true;
      this.#again.delete(n);
    }
    return false;
  }

  /** The event has not been there before. */
  release(row: KeptRow): void {
    row.waits = false;
    if (this.#held === undefined && row.state === 'held') this.#write(row);
  }

  /** The event has been there before, and needs no row. */
  drop(row: KeptRow): void {
    this.#inHand.delete(row.n);
    row.state = 'told';
    row.waits = false;
    this.#gone(row.n);
  }

  /** The instance has a record, or will have one in the next group. */
  recorded(): void {
    const held = this.#held;
    this.#held = undefined;
    for (const row of held ?? []) if (row.state === 'held' && !row.waits) this.#write(row);
  }

  /** A row that was written takes its place in the mailbox, when there is one for it and its time has come. */
  written(row: MailboxRow, sent?: SentEvent): void {
    const { arrived, hasRoom } = this.#options;
    if (this.#inHand.has(row.n) || this.#isLater(row)) return;
    if (!this.#reading && !this.more && hasRoom()) return arrived([this.#take(row, sent)], false);
    this.#behind.set(row.n, true);
    void this.#fill();
  }

  /**
   * An event that the store does not have takes its place: behind the rows that were sent before it, and before those that
   * are sent after it.
   */
  follow(sent: SentEvent): void {
    const { capacity, place } = this.#options;
    const waits = !this.#isOpen || this.#isAgain;
    if (waits && this.#following.length < capacity) this.#following.push(sent);
    else place(sent, this.#isOpen && !this.more ? 'any' : 'none');
  }

  /** Gives those that follow rows their places as soon as no such row is without one; returns whether any got its own. */
  #follow(): boolean {
    let any = false;
    for (let [sent] = this.#following; sent !== undefined; [sent] = this.#following) {
      const { n } = sent.row;
      if (this.#next < n || this.#isBehind(n)) break;
      this.#following.shift();
      this.#options.place(sent, 'any');
      any = true;
    }
    return any;
  }

  /** Puts the first page into the mailbox. `none`: there is no record, and so there are no rows. */
  async first(none = false): Promise<void> {
    const { address, arrived, careful, store } = this.#options;
    if (!none && careful() !== undefined) {
      const { length } = await store.rows(address, 0, 1);
      this.#isHeld = this.#unread = length > 0;
      this.#next = length > 0 ? 0 : Infinity;
    } else if (!none) arrived(await this.#page(), true);
    this.#reading = this.#isHeld;
    this.#isOpen = true;
    this.#follow();
    if (this.more) void this.#fill();
  }

  /** The instance has survived its start. */
  begin(): void {
    if (!this.#isHeld) return;
    this.#isHeld = this.#reading = false;
    void this.#fill();
  }

  /** The turn of the row is told. Returns the number of a row that has to be deleted with it. */
  told(row: KeptRow): number | undefined {
    const { n, state } = row;
    row.state = 'told';
    if (n === 0 || state === 'held' || (state === 'waiting' && this.#options.host.withdraw(n)))
      return undefined;
    return n;
  }

  /** The row was in hand at another crash. */
  attempted(row: KeptRow): void {
    row.row = { ...row.row, attempts: row.row.attempts + 1 };
    if (row.state !== 'held' && row.n !== 0) this.#count(row);
  }

  #count({ n, row: { attempts }, isNoted }: KeptRow): Ticket {
    return this.#options.host.attempted(n, attempts + (isNoted ? PROCESS_CRASHES : 0));
  }

  /** The turn of the row is committed. */
  done(row: KeptRow): void {
    this.#inHand.delete(row.n);
    row.over?.();
    row.settle();
    if (this.more) void this.#fill();
  }

  /** The row leaves the mailbox. With an error it is not kept unless the store has it; without, it is still written. */
  left(row: KeptRow, error: HoldfastError | undefined): void {
    this.#inHand.delete(row.n);
    row.over?.();
    if (error === undefined && row.isNoted) {
      // The process has not ended with it.
      row.isNoted = false;
      this.#count(row);
    }
    if (error === undefined) {
      // There was no room for it in the store, and its turn is not told.
      if (row.state === 'held' && row.unstored !== undefined) row.settle(row.unstored);
      return;
    }
    if (row.state === 'waiting' && !this.#options.host.withdraw(row.n)) return;
    row.settle(error);
  }

  /** The oldest rows that may be handled now and have no place, as many as fit, up to one that is not written yet. */
  async #page(): Promise<KeptRow[]> {
    const { store, address, capacity, careful } = this.#options;
    const mayFollow =
      careful() === undefined ? () => found.length < capacity : (row: MailboxRow) => isSafeBehind(found, row);
    const found: MailboxRow[] = [];
    const written = [...this.#behind].flatMap(([n, isWritten]) => (isWritten ? [n] : []));
    this.#isDue = false;
    this.#next = Infinity;
    let isWhole = true;
    for (let after = 0, isLast = false; !isLast && isWhole;) {
      const chunk = await store.rows(address, after, CHUNK);
      isLast = chunk.length < CHUNK;
      after = chunk.at(-1)?.n ?? after;
      const end = Math.min(this.#firstUnwritten(), this.#following[0]?.row.n ?? Infinity);
      for (const row of chunk) {
        if (!isWhole || this.#inHand.has(row.n) || this.#isLater(row)) continue;
        isWhole = row.n < end && mayFollow(row);
        if (isWhole) found.push(row);
        else this.#next = row.n;
      }
    }
    const rows = found.map((row) => this.#take(row));
    this.#unread = !isWhole || this.#isDue;
    // Whatever was written before and is not in the store is gone.
    for (const n of written) if (n < this.#next) this.#behind.delete(n);
    return rows;
  }

  /** Whether a row before that number has no place. */
  #isBehind(n: number): boolean {
    for (const other of this.#behind.keys()) if (other < n) return true;
    return false;
  }

  #firstUnwritten(): number {
    for (const [n, isWritten] of this.#behind) if (!isWritten) return n;
    return Infinity;
  }

  /** Whether the first row without a place is written: no other is before it. */
  get #isFirstWritten(): boolean {
    const [isWritten = false] = this.#behind.values();
    return isWritten;
  }

  /** Whether the row may take its place: it is the first of those without one, and there is room. */
  #isNext(n: number): boolean {
    if (this.#reading || this.#isFilling || this.#unread || !this.#options.hasRoom()) return false;
    const [first] = this.#behind.keys();
    return first === n && n < (this.#following[0]?.row.n ?? Infinity);
  }

  #gone(n: number): void {
    this.#behind.delete(n);
    if (this.more) void this.#fill();
  }

  /** The instance is gone, and rows that were not written will not be. */
  close(error: HoldfastError): void {
    this.#closed = true;
    this.#options.clock.clearTimeout(this.#timer);
    for (const row of this.#held?.splice(0) ?? []) row.settle(error);
    for (const row of this.#inHand.values()) row.over?.();
    for (const sent of this.#following.splice(0)) this.#options.place(sent, 'any');
  }

  #take(row: MailboxRow, sent?: SentEvent): KeptRow {
    const kept = new KeptRow(row, this.#options.ids.ofRow(row), undefined, sent);
    this.#behind.delete(row.n);
    this.#inHand.set(row.n, kept);
    return kept;
  }

  /** Whether the time of the row has not come; then it is looked for when it has. */
  #isLater({ n, dueAt }: MailboxRow): boolean {
    const now = this.#options.clock.date();
    if (dueAt <= now) {
      this.#later?.delete(n);
      return false;
    }
    (this.#later ??= new Map()).set(n, dueAt);
    if (dueAt < this.#timerAt && !this.#closed) this.#arm(dueAt);
    return true;
  }

  /** Reads the rows again at that time, and by that what is due next. */
  #arm(dueAt: number): void {
    const { clock } = this.#options;
    clock.clearTimeout(this.#timer);
    this.#timerAt = dueAt;
    this.#timer = clock.setTimeout(
      () => {
        this.#timerAt = Infinity;
        this.#unread = true;
        this.#isDue = true;
        void this.#fill();
      },
      Math.min(dueAt - clock.date(), LONGEST_TIMER_MS),
    );
    clock.unref?.(this.#timer);
  }

  /** Puts the next page into the mailbox, once half of the last one has left it. */
  async #fill(): Promise<void> {
    const { address, arrived, capacity, clock, damaged, warn } = this.#options;
    const careful = this.#options.careful();
    const most = careful === undefined ? capacity / 2 : 0;
    if (this.#reading || this.#closed || this.#inHand.size > most) return;
    this.#reading = this.#isFilling = true;
    try {
      const rows = await this.#page();
      if (careful !== undefined) await this.#note(rows, careful);
      this.#reading = false;
      if (!this.#closed) arrived(rows, false);
      this.#isFilling = false;
      if (this.#closed) return;
      const isFollowed = this.#follow();
      if (rows.length > 0 || isFollowed ? this.more : this.#isFirstWritten) void this.#fill();
    } catch (error) {
      this.#reading = this.#isFilling = false;
      if (error instanceof HoldfastError && error.code === 'STORE_CORRUPT') {
        this.#isHeld = this.#reading = this.#unread = true;
        if (!this.#closed) damaged(error);
        return;
      }
      warn({ address, error }, 'the rows of a mailbox could not be read, which is tried again');
      this.#unread = true;
      later(clock, () => void this.#fill(), RETRY_MS);
    }
  }

  /** Writes down that the rows are in hand, before they are; one that was in hand at a crash has to be the only such one. */
  async #note(rows: readonly KeptRow[], careful: Pick<CarefulStart, 'alone'>): Promise<void> {
    const [first] = rows;
    if (first === undefined || first.isPoison) return;
    if (isSuspect(first.row)) first.over = await careful.alone();
    let ticket: Ticket | undefined;
    for (const row of rows) {
      row.isNoted = true;
      ticket = this.#count(row);
    }
    await ticket?.wait();
    if (this.#closed) first.over?.();
  }

  #write(row: KeptRow): void {
    row.state = 'waiting';
    const { host, ids } = this.#options;
    host.add({
      row: row.row,
      letter: row.letter,
      id: row.id && ids.openId(row.id.names),
      written: () => {
        if (row.state === 'waiting') row.state = 'stored';
        row.settle();
        if (this.#closed) return this.#options.strayed(row.row);
        if (this.#inHand.has(row.n) || this.#isLater(row.row)) return;
        if (row.sent !== undefined && this.#isNext(row.n)) {
          this.#options.arrived([this.#take(row.row, row.sent)], false);
          return void this.#follow();
        }
        if (this.#behind.has(row.n)) this.#behind.set(row.n, true);
        // Its time may have come while it was written.
        if (row.row.dueAt > 0) this.#isDue = this.#unread = true;
        if (this.more) void this.#fill();
      },
      refused: (error, full) => {
        const { n } = row;
        if (full === true && this.#inHand.has(n) && row.state === 'waiting') {
          if (!this.#options.retract(row)) {
            // What its thread has got is handled, and then it is kept that it was.
            row.state = 'held';
            row.unstored = error;
            return;
          }
          this.#inHand.delete(n);
        }
        row.settle(error);
        this.#gone(n);
      },
    });
  }
}

function isSuspect({ attempts }: MailboxRow): boolean {
  return attempts > 0;
}

/** Whether a row may be handed over with those before it in a careful start: a suspect is alone. */
function isSafeBehind(before: readonly MailboxRow[], row: MailboxRow): boolean {
  const [first] = before;
  if (first === undefined) return true;
  return before.length < CAREFUL_ROWS && !isSuspect(first) && !isSuspect(row);
}

function noRoom(address: string): HoldfastError {
  return new HoldfastError(
    'MAILBOX_FULL',
    `${address}: ${MOST_ROWS} events wait for it in the store; let it handle some, and replay the dead letter`,
  );
}
