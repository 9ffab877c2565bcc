import { later, type Clock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Ticket } from '../base/ticket.ts';
import { isSafeBehind, noteInHand } from './careful-page.ts';
import { type CarefulStart, PROCESS_CRASHES } from './careful-start.ts';
import type { DurableStore, EncodedState, MailboxRow } from './durable-store.ts';
import type { HostRows } from './host-rows.ts';
import type { IdInUse } from './kept-id.ts';
import type { KeptIds } from './kept-ids.ts';
import { type Kept, KeptRow } from './kept-row.ts';
import { LaterRows } from './later-rows.ts';
import { MOST_ROWS } from './most-rows.ts';
import { CHUNK, pageOfRows } from './page-of-rows.ts';
import { letterIdOf, plainRow } from './row-letter.ts';
import type { Place, SentEvent } from './sent-event.ts';
import { UnplacedRows } from './unplaced-rows.ts';

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

/** An event that the store does not have. */
interface Follower {
  /** Rows with a number below that are before it. */
  readonly n: number;
  readonly place: (place: Place) => void;
}

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
  /** Absent while there was none. */
  #later: LaterRows | undefined;
  /** Rows that wait for the first record of their instance; undefined once there is one. */
  #held: KeptRow[] | undefined = [];
  readonly #behind = new UnplacedRows();
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
  /** Events that the store does not have, and that have their places behind rows that have none yet. */
  readonly #following: Follower[] = [];
  /** The number of the first row that the last page did not take. */
  #next = Infinity;
  #closed = false;
  /** A look for rows of others that is under way, and the one after it. */
  #looking: Promise<void> | undefined;
  #nextLook: Promise<void> | undefined;
  /** Looks that wait for the first page. */
  readonly #onOpen: (() => void)[] = [];

  constructor(options: MailboxRowsOptions) {
    this.#options = options;
  }

  /** Whether rows wait for a place in the mailbox: whatever else comes has to wait behind them. */
  get more(): boolean {
    return this.#unread || this.#isFilling || this.#behind.size > 0;
  }

  /** Whether a row has a place in the mailbox, waits for one, or its turn is not committed. */
  get any(): boolean {
    return this.more || this.#reading || this.#inHand.size > 0 || this.#following.length > 0;
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
    else if (dueAt === 0) this.#behind.add(row.n);
    if (this.#held !== undefined) this.#held.push(row);
    else if (!row.waits) this.#write(row);
    return row;
  }

  /** Whether the instance has no record yet. */
  get isNew(): boolean {
    return this.#held !== undefined && !this.#closed;
  }

  /** Keeps an event of which the store has made a letter: it is a row again once the instance has a record. */
  again(sent: SentEvent, kept: Kept): void {
    const { address } = this.#options;
    if (this.full) return kept(noRoom(address));
    const { n } = sent.row;
    const row = new KeptRow(plainRow(sent.row), undefined, kept, sent);
    row.state = 'held';
    row.letter = letterIdOf(n);
    this.#behind.add(n, true);
    if (this.#held !== undefined) this.#held.push(row);
    else this.#write(row);
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
    this.#behind.addWritten(row.n);
    void this.#fill();
  }

  /**
   * Another process may have written rows: they take their places as if they were written now, and nothing has to wait for the
   * look. Resolves when those that are there have theirs, or wait for one.
   */
  look(): Promise<void> {
    const looking = this.#looking;
    if (looking === undefined) return this.#lookNow();
    // What was read before may lack them.
    return (this.#nextLook ??= looking.then(() => this.#lookNow()));
  }

  #lookNow(): Promise<void> {
    this.#nextLook = undefined;
    const looking = this.#read().finally(() => {
      if (this.#looking === looking) this.#looking = undefined;
    });
    return (this.#looking = looking);
  }

  async #read(): Promise<void> {
    const { store, address, careful, damaged, warn } = this.#options;
    // The first page may have been read before they were written.
    if (!this.#isOpen && !this.#closed) await new Promise<void>((resolve) => this.#onOpen.push(resolve));
    if (this.#closed) return;
    if (careful() !== undefined) {
      this.#isDue = this.#unread = true;
      return void this.#fill();
    }
    try {
      for (let after = 0, isLast = false; !isLast && !this.#closed;) {
        // What is handled meanwhile is not there any more when the next is read.
        // oxlint-disable-next-line no-await-in-loop
        const rows = await store.rows(address, after, CHUNK);
        isLast = rows.length < CHUNK;
        after = rows.at(-1)?.n ?? after;
        if (!this.#closed) for (const row of rows) this.written(row);
      }
    } catch (error) {
      if (this.#closed) return;
      if (error instanceof HoldfastError && error.code === 'STORE_CORRUPT') return damaged(error);
      warn({ address, error }, 'the rows that others have sent could not be read, which is tried again');
    }
  }

  /**
   * An event that the store does not have takes its place: behind the rows that were sent before it, and before those that
   * are sent after it.
   */
  follow(sent: SentEvent): void {
    const waits = !this.#isOpen || this.#behind.hasAgain || this.isCareful;
    this.#follows({ n: sent.row.n, place: (place) => this.#options.place(sent, place) }, waits);
  }

  /** {@link follow} of an event that comes now, while rows are {@link isCareful handed over with care}. */
  followNow(place: (place: Place) => void): void {
    this.#follows({ n: this.#options.host.next(), place }, true);
  }

  #follows(follower: Follower, waits: boolean): void {
    if (waits && this.#following.length < this.#options.capacity) this.#following.push(follower);
    else follower.place(this.#isOpen && !this.more ? 'any' : 'none');
  }

  /** The rows are read again, and what waits behind `before` waits behind these. */
  after(before: MailboxRows): void {
    this.#following.push(...before.#following.splice(0));
  }

  /** Whether rows of the store are handed over with care: what comes now waits until they have been. */
  get isCareful(): boolean {
    if (this.#closed || (!this.#isHeld && this.#options.careful() === undefined)) return false;
    return !this.#isOpen || this.more || this.#following.length > 0;
  }

  /** Gives those that follow rows their places as soon as no such row is without one; returns whether any got its own. */
  #follow(): boolean {
    let any = false;
    for (let [next] = this.#following; next !== undefined; [next] = this.#following) {
      if (this.#next < next.n || this.#behind.hasBefore(next.n)) break;
      this.#following.shift();
      next.place('any');
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
    for (const open of this.#onOpen.splice(0)) open();
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
    const isCareful = careful() !== undefined;
    const written = this.#behind.allWritten;
    this.#isDue = false;
    this.#next = Infinity;
    const { found, next } = await pageOfRows({
      store,
      address,
      isElsewhere: (row) => this.#inHand.has(row.n) || this.#isLater(row),
      end: () => Math.min(this.#behind.firstUnwritten, this.#following[0]?.n ?? Infinity),
      mayFollow: (before, row) => (isCareful ? isSafeBehind(before, row) : before.length < capacity),
    });
    this.#next = next;
    const rows = found.map((row) => this.#take(row));
    this.#unread = next < Infinity || this.#isDue;
    // Whatever was written before and is not in the store is gone.
    for (const n of written) if (n < next) this.#behind.delete(n);
    return rows;
  }

  /** Whether the row may take its place: it is the first of those without one, and there is room. */
  #isNext(n: number): boolean {
    if (this.#reading || this.#isFilling || this.#unread || !this.#options.hasRoom()) return false;
    return this.#behind.first === n && n < (this.#following[0]?.n ?? Infinity);
  }

  #gone(n: number): void {
    this.#behind.delete(n);
    if (this.more) void this.#fill();
    else this.#follow();
  }

  /** The instance is gone, and rows that were not written will not be. */
  close(error: HoldfastError): void {
    this.#closed = true;
    for (const open of this.#onOpen.splice(0)) open();
    this.#later?.close();
    for (const row of this.#held?.splice(0) ?? []) row.settle(error);
    for (const row of this.#inHand.values()) row.over?.();
    for (const { place } of this.#following.splice(0)) place('any');
  }

  #take(row: MailboxRow, sent?: SentEvent): KeptRow {
    const kept = new KeptRow(row, this.#options.ids.ofRow(row), undefined, sent);
    this.#behind.delete(row.n);
    this.#inHand.set(row.n, kept);
    return kept;
  }

  /** Whether the time of the row has not come; then the rows are read again when it has. */
  #isLater(row: MailboxRow): boolean {
    const { clock } = this.#options;
    const isLater = row.dueAt > clock.date();
    if (this.#closed || (!isLater && this.#later === undefined)) return isLater;
    this.#later ??= new LaterRows(clock, () => {
      this.#unread = true;
      this.#isDue = true;
      void this.#fill();
    });
    return this.#later.has(row);
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
      if (careful !== undefined) {
        await noteInHand(rows, careful, (row) => this.#count(row));
        if (this.#closed) rows[0]?.over?.();
      }
      this.#reading = false;
      if (!this.#closed) arrived(rows, false);
      this.#isFilling = false;
      if (this.#closed) return;
      const isFollowed = this.#follow();
      if (rows.length > 0 || isFollowed ? this.more : this.#behind.isFirstWritten) void this.#fill();
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
        this.#behind.written(row.n);
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

function noRoom(address: string): HoldfastError {
  return new HoldfastError(
    'MAILBOX_FULL',
    `${address}: ${MOST_ROWS} events wait for it in the store; let it handle some, and replay the dead letter`,
  );
}
