import { agentOf } from '../base/address.ts';
import { within, type Clock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { type AgentWrites, WriteCounts } from './agent-writes.ts';
import { CarefulStart, isCareful } from './careful-start.ts';
import { Committer, type StoreHealth } from './committer.ts';
import type {
  DurableStore,
  EncodedState,
  KeptLetter,
  MailboxRow,
  OpenedStore,
  StoreContext,
} from './durable-store.ts';
import { HostRows } from './host-rows.ts';
import { IdleLook } from './idle-look.ts';
import { isOwnRecord, Ledger, type LedgerOptions } from './ledger.ts';
import { MOST_ROWS } from './most-rows.ts';
import { isPartitioned } from './partitioned-store.ts';
import { letterIdOf } from './row-letter.ts';
import type { StoreKeys } from './store-keys.ts';
import type { LetterOfRow, Place, SentEvent } from './sent-event.ts';
import { Summons, type SummonsOptions } from './summons.ts';
import { UnbegunRows } from './unbegun-rows.ts';

/** Milliseconds that the store may take to close. */
const CLOSE_MS = 1000;
/** Milliseconds for which ids are kept by default: a day, in which a client has come back or given up. */
const KEEP_IDS_MS = 24 * 60 * 60 * 1000;
/** Milliseconds for which letters are kept: a week, so that somebody has looked at them. */
const KEEP_LETTERS_MS = 7 * KEEP_IDS_MS;
/** Milliseconds between two drops of what is too old. */
const TIDY_MS = 60 * 60 * 1000;

export interface LedgersOptions extends Pick<LedgerOptions, 'secretIn' | 'learned' | 'admit' | 'unwait'> {
  /** Hands over an event that is not in the store. With the error with which its recipient could not be started. */
  readonly hand: (sent: SentEvent, place: Place, error?: unknown) => void;
  readonly summon: SummonsOptions['summon'];
  readonly store: DurableStore;
  readonly clock: Clock;
  readonly warn: (fields: object, message: string) => void;
  /** An instance that is not in memory has a row since, or from, that time. */
  readonly due: (address: string, at: number) => void;
  /** An instance is not in memory any more, and may have something to do later. */
  readonly left: () => void;
  /** Whether whoever had something to do at the start has been woken. */
  readonly isThrough: () => boolean;
  /** The store has failed for 30 s or three times in a minute, or another process has it. */
  readonly failed: (error: HoldfastError) => void;
  /** The number of this node, one of several that have the store open; undefined: it is alone. */
  readonly node?: (() => number | undefined) | undefined;
  /** Reads the url of the database of the store, see {@link StoreContext.url}. */
  readonly url?: StoreContext['url'];
}

/** What an instance gives to its ledger. */
export type OpenedLedger = Pick<
  LedgerOptions,
  'arrived' | 'behind' | 'capacity' | 'damaged' | 'fenced' | 'hasRoom' | 'recorded' | 'retract' | 'slow'
>;

const CAREFUL =
  'the process has ended twice in a row without a stop: this start is careful, and whatever ends it again is found and left out';
const HEAVY =
  'more than 64 KiB of a state are committed more than 20 times a second; change it less often or in fewer places, or keep in it what finds the rest';

/** The ledgers of a runtime with a store under every turn: one for each durable instance. */
export class Ledgers {
  readonly #options: LedgersOptions;
  readonly #ledgers = new Map<string, Ledger>();
  /** The agents with a state of which there was a warning that it is large. */
  readonly #large = new Set<string>();
  readonly #writes: WriteCounts;
  readonly #summons: Summons;
  readonly #unbegun: UnbegunRows;
  #committer: Committer | undefined;
  #host: HostRows | undefined;
  #careful: CarefulStart | undefined;
  /** Begins the ids of the groups that are written here. */
  #owner = '';
  #firstRow = 1;
  #rowStep = 1;
  #tidying: unknown;
  #idleLook: IdleLook | undefined;

  constructor(options: LedgersOptions) {
    this.#options = options;
    this.#writes = new WriteCounts({
      now: () => options.clock.now(),
      heavy: (address, bytes) => options.warn({ address, bytes }, HEAVY),
    });
    const { hand, summon } = options;
    this.#summons = new Summons({
      summon,
      hand: (sent, error) =>
        sent.isLetter === true ? this.#unbegun.settle(sent, error) : hand(sent, 'any', error),
      again: (sent) => this.#hand(sent, sent.isLetter === true ? 'unknown-address' : undefined),
      full: (sent) => (sent.isLetter === true ? this.#unbegun.settle(sent) : hand(sent, 'none')),
    });
    this.#unbegun = new UnbegunRows({
      host: () => this.#host as HostRows,
      ledgerAt: (address) => this.#ledgers.get(address),
      summons: () => this.#summons,
      deliver: (row, sent) => this.deliver(row, sent),
      stays: (sent, error) => hand(sent, 'letter', error),
    });
  }

  /** Becomes the owner of the store. Rejects with `STORE_LOCKED`, `STORE_CORRUPT`, `STORE_TOO_NEW` or `STORE_FAILED`. */
  async start(keys?: StoreKeys): Promise<OpenedStore> {
    const { store, clock, warn, failed, isThrough, url } = this.#options;
    const node = this.#options.node?.();
    const context = { now: () => clock.date(), warn, keys, url, mostRows: MOST_ROWS };
    const shared =
      node !== undefined && isPartitioned(store) ? await store.openNode({ ...context, node }) : undefined;
    const opened = shared ?? (await store.open(context));
    const owner = opened.epoch.toString(36);
    this.#owner = `${owner}.`;
    const committer = new Committer({
      store,
      clock,
      warn,
      owner,
      failed,
      overtaken: (error) => this.#overtaken(error),
    });
    this.#committer = committer;
    this.#firstRow = opened.firstRow;
    this.#rowStep = shared?.rowStep ?? 1;
    const host: HostRows = new HostRows(opened.firstRow, () => committer.addHost(host), this.#rowStep);
    this.#host = host;
    this.#tidyLater();
    if (store.look !== undefined)
      this.#idleLook = new IdleLook({
        look: store.look.bind(store),
        clock,
        quietSince: () => committer.quietSince,
        found: (error) => committer.looked(error),
      });
    if (isCareful(opened.uncleanEnds, clock.date())) {
      this.#careful = new CarefulStart({ clock, isThrough });
      warn({ uncleanEnds: opened.uncleanEnds }, CAREFUL);
    }
    return opened;
  }

  /** The careful start, while there is one. */
  get careful(): CarefulStart | undefined {
    return this.#careful?.isOver === false ? this.#careful : undefined;
  }

  /** Resolves when an instance has survived a careful start; `undefined` when there is nothing to wait for. */
  survived(address: string): Promise<void> | undefined {
    return this.#ledgers.get(address)?.survived;
  }

  /** The error of the last commit, while the store fails or does not answer. */
  get failing(): HoldfastError | undefined {
    return this.#committer?.failing;
  }

  get health(): StoreHealth {
    return this.#committer?.health ?? { state: 'ok', waiting: 0 };
  }

  /** What the instances of each agent have written. */
  get writes(): AgentWrites[] {
    return this.#writes.read();
  }

  /** Opens the ledger of an instance. Only after {@link start}. */
  open(address: string, options: OpenedLedger): Ledger {
    const { store, clock, secretIn, learned, admit, unwait, warn } = this.#options;
    const committer = this.#committer as Committer;
    return new Ledger({
      address,
      store,
      owner: this.#owner,
      epoch: () => this.#epochOf(address),
      committer,
      host: this.#host as HostRows,
      careful: () => this.careful,
      clock,
      warn,
      secretIn,
      learned,
      keepIdsMs: store.keepIdsMs ?? KEEP_IDS_MS,
      large: (bytes) => this.#warnOfSize(address, bytes),
      wrote: this.#writes.of(agentOf(address), address),
      admit,
      unwait,
      hand: (sent, letter) => this.#hand(sent, letter),
      opened: (ledger) => {
        const before = this.#ledgers.get(address);
        this.#ledgers.set(address, ledger);
        for (const sent of this.#summons.take(address))
          if (sent.isLetter === true) this.#unbegun.follow(ledger, sent);
          else ledger.rows.follow(sent);
        return before?.quiet() ?? Promise.resolve();
      },
      place: this.#options.hand,
      strayed: (row) => this.deliver(row),
      ...options,
    });
  }

  #epochOf(address: string): number | undefined {
    const { store, node } = this.#options;
    const isShared = node?.() !== undefined && isPartitioned(store);
    // Nothing is written under an epoch that no partition has had.
    return isShared ? (store.epochOf(address) ?? 0) : undefined;
  }

  /** Whether the store has a record of the address; `own`: one that this runtime has written. */
  async has(address: string, own: boolean): Promise<boolean> {
    await this.#ledgers.get(address)?.quiet();
    const record = await this.#options.store.load(address);
    return record !== undefined && (!own || isOwnRecord(record, this.#owner));
  }

  /** The instance is gone; its ledger still finishes its commits. `error` is for events that have no record to wait for. */
  async closed(address: string, error: HoldfastError = stopped()): Promise<void> {
    const ledger = this.#ledgers.get(address);
    ledger?.close(error);
    await ledger?.quiet();
    // It may have been opened again by then.
    if (this.#ledgers.get(address) !== ledger || ledger?.isClosed === false) return;
    this.#ledgers.delete(address);
    if (ledger !== undefined) this.#options.left();
  }

  #hand(sent: SentEvent, letter?: LetterOfRow): void {
    if (letter === 'mailbox-full') return this.#options.hand(sent, 'full');
    if (letter !== undefined) return this.#unbegun.add(sent);
    if (!sent.isPlain) return this.deliver(sent.row, sent);
    const { to } = sent.row;
    const ledger = this.#ledgers.get(to);
    if (ledger?.isClosed === false) ledger.rows.follow(sent);
    else if (sent.awaited !== undefined || this.#summons.has(to)) this.#summons.add(sent);
    else this.#options.hand(sent, 'any');
  }

  /** A row that was written takes its place in the mailbox of its recipient, or wakes that. */
  deliver(row: MailboxRow, sent?: SentEvent): void {
    const ledger = this.#ledgers.get(row.to);
    if (ledger === undefined || ledger.isClosed) this.#options.due(row.to, row.dueAt);
    else ledger.rows.written(row, sent);
  }

  /** Another node has written a row, or may have: its recipient looks, which is waited for, or wakes. */
  async nudged(address: string): Promise<void> {
    const ledger = this.#ledgers.get(address);
    if (ledger === undefined || ledger.isClosed) this.#options.due(address, 0);
    else await ledger.rows.look();
  }

  /** Other nodes have those addresses now: nothing more of their instances here is committed or told, and they end. */
  lost(isLost: (address: string) => boolean): void {
    for (const [address, ledger] of this.#ledgers) if (isLost(address)) ledger.lost('moved');
  }

  /** Makes an event a row of an address; resolves when that is committed. `became`: there is no record, and it is that letter. */
  keep(to: string, event: EncodedState, dueAt: number, became: (letter: string) => void): Promise<void> {
    const host = this.#host as HostRows;
    const row: MailboxRow = { n: host.next(), to, event, dueAt, attempts: 0 };
    return new Promise((resolve, reject) => {
      const written = (): void => {
        this.deliver(row);
        resolve();
      };
      const refused = (error: HoldfastError): void => {
        if (error.code === 'AGENT_STOPPED') became(letterIdOf(row.n));
        reject(error);
      };
      host.add({ row, written, refused });
    });
  }

  /**
   * Whether the row of that number was written before the store was opened, by a process in whose place this one is: of several
   * nodes each sees to what was sent there, and to what was sent to an address of its own.
   */
  wasSentBefore(n: number, isForHere: boolean): boolean {
    return n < this.#firstRow && (isForHere || n % this.#rowStep === this.#firstRow % this.#rowStep);
  }

  /**
   * An agent had sent the event before the process began, and the store has made a letter of its row. Resolves when it is a row
   * again, stays a letter, or is left to the next process.
   */
  sentBefore(sent: SentEvent): Promise<void> {
    return this.#unbegun.addEarlier(sent);
  }

  /** Has letters of the store say something else; resolves when that is committed, or the runtime has stopped. */
  async keepLetters(letters: readonly KeptLetter[]): Promise<void> {
    await (this.#host as HostRows).keepLetters(letters).wait();
  }

  /**
   * Makes the event of a letter a row of its mailbox again, in one transaction; resolves when that is committed. `became`: its
   * address has ended meanwhile, and the store has made it another letter.
   */
  replay(letter: string, to: string, event: EncodedState, became: (letter: string) => void): Promise<void> {
    const host = this.#host as HostRows;
    const row: MailboxRow = { n: host.next(), to, event, dueAt: 0, attempts: 0 };
    return new Promise((resolve, reject) => {
      const written = (): void => {
        this.deliver(row);
        resolve();
      };
      const refused = (error: HoldfastError): void => {
        if (error.code === 'AGENT_STOPPED') became(letterIdOf(row.n));
        reject(error);
      };
      host.add({ row, letter, written, refused });
    });
  }

  /** Resolves when everything is committed, or the store has failed once more. */
  async flushed(): Promise<void> {
    await this.#committer?.flushed();
  }

  /**
   * Writes nothing any more. Who waits for something that is not written by now gets `STORE_FAILED`, as nobody knows
   * whether the store has it.
   */
  giveUp(): void {
    const committer = this.#committer;
    if (committer === undefined || committer.idle) return;
    committer.close();
    this.#host?.lose(stopped());
    for (const ledger of this.#ledgers.values())
      if (ledger.pending) ledger.lose(unknown(committer.failing));
      else ledger.shut();
    committer.abandon();
  }

  /** Gives up the store. */
  async stop(): Promise<void> {
    if (this.#committer === undefined) return;
    this.#committer.close();
    this.#careful?.stop();
    this.#idleLook?.stop();
    this.#options.clock.clearTimeout(this.#tidying);
    this.#host?.lose(stopped());
    const { clock, store } = this.#options;
    await within(clock, CLOSE_MS, store.close(), () => unknown(undefined)).catch((error: unknown) =>
      this.#options.warn({ error }, 'the store could not be closed'),
    );
  }

  /** Now and then drops what need not be kept any more. */
  #tidyLater(): void {
    const { store, clock, warn } = this.#options;
    this.#tidying = clock.setTimeout(() => {
      const now = clock.date();
      store
        .tidy(now, now - KEEP_LETTERS_MS)
        .catch((error: unknown) =>
          warn({ error }, 'the store could not drop what is too old, which is tried again'),
        );
      this.#tidyLater();
    }, TIDY_MS);
    clock.unref?.(this.#tidying);
  }

  #warnOfSize(address: string, bytes: number): void {
    const agent = agentOf(address);
    if (this.#large.has(agent)) return;
    this.#large.add(agent);
    const message =
      'the state of an instance is large, and more than 64 KiB of it are written after a turn; change less of it at once, or keep in it what finds the rest';
    this.#options.warn({ address, bytes }, message);
  }

  #overtaken(error: HoldfastError): void {
    this.#host?.lose(error);
    for (const ledger of this.#ledgers.values()) ledger.lose(error);
  }
}

function unknown(cause: HoldfastError | undefined): HoldfastError {
  return new HoldfastError(
    'STORE_FAILED',
    'the runtime was stopped while the store did not answer, and nobody knows whether it has what was asked for; look there before you ask again',
    { cause },
  );
}

function stopped(): HoldfastError {
  return new HoldfastError(
    'RUNTIME_STOPPED',
    'the runtime was stopped before an event was kept; create a new one, and send the event again',
  );
}
