import { within } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { isLarge, LARGE_STATE } from '../base/large-state.ts';
import type { SeenSecret, SeenSecrets } from '../base/seen-secret.ts';
import type { Ticket } from '../base/ticket.ts';
import type { NewTexts } from '../base/marked-text.ts';
import type { Committer, Drafting } from './committer.ts';
import type { DeadLetterReason } from '../base/dead-letter-reason.ts';
import type {
  CommitResult,
  DurableStore,
  EncodedState,
  KeptStep,
  MailboxRow,
  StoredRecord,
  TurnCommit,
} from './durable-store.ts';
import type { KeptRow } from './kept-row.ts';
import { KeptSteps } from './kept-steps.ts';
import { KeptIds, type KeptAnswer, type KeptIdsOptions } from './kept-ids.ts';
import { MailboxRows, type MailboxRowsOptions } from './mailbox-rows.ts';
import { lostTurn } from './lost-turn.ts';
import { STORE_MS } from './keeper.ts';
import { metaOf, MetaText, type RecordMeta } from './record-meta.ts';
import type { PlacedTurn } from './partitioned-store.ts';
import { letterIdOf, rowLetter } from './row-letter.ts';
import { secretInSnapshot, secretInStep } from './secret-in-snapshot.ts';
import { SendPace } from './send-pace.ts';
import {
  awaitedOf,
  lettersIn,
  type LetterOfRow,
  type Sent,
  type SentEvent,
  type TellOutcomes,
} from './sent-event.ts';
import { StartTrial } from './start-trial.ts';
import type { StateTexts } from './state-texts.ts';
import type { Lost } from './store-outcome.ts';
import { fitState, type SecretSearch, type ToldState } from './told-state.ts';
import { commitOf, type DraftRecord, type LastState, TurnDraft } from './turn-draft.ts';
import { WrittenTexts } from './written-texts.ts';

export interface LedgerOptions
  extends
    Omit<MailboxRowsOptions, 'store' | 'ids'>,
    Pick<KeptIdsOptions, 'keepIdsMs' | 'unwait'>,
    SecretSearch {
  readonly store: Pick<DurableStore, 'load' | 'rows' | 'id' | 'steps' | 'textsAhead'>;
  readonly committer: Pick<Committer, 'add' | 'failing'>;
  /** The epoch of the partition of the address, as it is now; undefined: the store has one owner. */
  readonly epoch: () => number | undefined;
  /** Whether states are written behind: nothing waits for them. */
  readonly behind: boolean;
  /** Begins the ids of the groups that this runtime writes. */
  readonly owner: string;
  /** The ledger is the one of its address from now on. Resolves when what was there before is committed. */
  readonly opened: (ledger: Ledger) => Promise<void>;
  /** Called when a state has more than 64 KiB, for each. */
  readonly large?: ((bytes: number) => void) | undefined;
  /** Called when a state was written, with its bytes. */
  readonly wrote?: ((bytes: number) => void) | undefined;
  /** Whether there has to be a record. */
  readonly recorded: boolean;
  /** Takes an event of the instance for another agent; the error for one that is refused. */
  readonly admit: (sent: Sent) => Pick<SentEvent, 'event' | 'isPlain'> | HoldfastError;
  /** Hands over an event that is committed, or tells of the letter that the store has made of it. */
  readonly hand: (sent: SentEvent, letter?: LetterOfRow) => void;
  /** The instance is to get its events one by one, since many wait for whom it sends to; or as before. */
  readonly slow: (isSlow: boolean) => void;
  /** Another runtime has continued with the address. */
  readonly fenced: (error: HoldfastError) => void;
}

/** What turns have left behind beside a state. */
export interface Turns {
  /** The events that were handled of which something is kept. */
  readonly rows: readonly KeptRow[];
  /** The answers that are kept. */
  readonly answers?: readonly KeptAnswer[] | undefined;
  /** What the state knows of secrets since. */
  readonly seen?: readonly SeenSecret[] | undefined;
}

/** The state of an instance that was done, and begins anew. */
const ANEW = '';

/**
 * What one durable instance has committed, and has to. A restart continues from the last state that was told, committed
 * or not: what rests on it is told only after it.
 */
export class Ledger implements Drafting, SeenSecrets {
  readonly #options: LedgerOptions;
  #last: LastState | undefined;
  #loaded = false;
  /** The error of the last load. */
  #unread: unknown;
  #meta: RecordMeta = {};
  readonly #metaText = new MetaText();
  /** The group that wrote the record. */
  #commit: string | undefined;
  #seq = 0;
  readonly #texts = new WrittenTexts();
  /** What the values of secrets were of which none was in the last state. */
  #searched: number | undefined;
  #draft: TurnDraft | undefined;
  #writing: TurnDraft | undefined;
  #isFenced = false;
  #isClosed = false;
  #isResting = false;
  readonly #pace: SendPace;
  #isOwn = false;
  /** The epoch under which the instance became active. */
  #epoch: number | undefined;
  #recorded: boolean;
  #ticket: Ticket | undefined;
  #rows: MailboxRows;
  /** The ids of its events. */
  readonly ids: KeptIds;
  #after: Promise<void>;
  /** What steps of its children at work have returned. */
  readonly steps = new KeptSteps();
  /** Starts of another instance of the address, whose steps go with the next state. */
  #stale: string[] = [];
  /** Absent while no start of it had to be written down. */
  #trial: StartTrial | undefined;

  constructor(options: LedgerOptions) {
    this.#options = options;
    this.#recorded = options.recorded;
    this.ids = new KeptIds(options);
    this.#rows = new MailboxRows({ ...options, ids: this.ids });
    this.#pace = new SendPace(options.slow);
    this.#epoch = options.epoch();
    this.#after = options.opened(this);
  }

  /** The last state that was told, or loaded. */
  get last(): { readonly state: EncodedState } | undefined {
    return this.#last === undefined || this.#last.state === ANEW ? undefined : { state: wholeOf(this.#last) };
  }

  /** The error of the store, while it fails or does not answer. */
  get failing(): HoldfastError | undefined {
    return this.#options.committer.failing;
  }

  /** Whether something of the instance waits to be committed. */
  get pending(): boolean {
    return this.#draft !== undefined || this.#writing !== undefined;
  }

  /** Whether nothing more of the instance is committed, and so nothing more is told. */
  get isFenced(): boolean {
    return this.#isFenced;
  }

  /**
   * Loads the record, and resolves with its incarnation. `replaced`: the instance begins with another state. Rejects with
   * `STORE_FAILED` or `STORE_CORRUPT`, and with `AGENT_STOPPED` when there has to be a record and is none.
   */
  async load(replaced: boolean): Promise<number | undefined> {
    const { store, address, owner, clock } = this.#options;
    const late = (): Error => notLoaded(address);
    const loading = this.#after.then(() => store.load(address));
    let record: StoredRecord | undefined;
    try {
      record = await within(clock, STORE_MS, loading, late);
      if (record !== undefined) this.#rows.recorded();
      await within(clock, STORE_MS, this.#rows.first(record === undefined), late);
      // Only work has steps, and wakes.
      if (record?.wakes === true)
        this.steps.loaded(await within(clock, STORE_MS, store.steps(address), late));
    } catch (error) {
      this.#unread = error;
      throw error;
    }
    this.#loaded = true;
    if (record === undefined) {
      if (this.#recorded) throw noRecord(address);
      return undefined;
    }
    this.#commit = record.commit;
    this.#isOwn = isOwnRecord(record, owner);
    this.#seq = record.seq;
    if (replaced || this.isBehind) this.#stale = this.steps.clear();
    if (replaced) return record.incarnation;
    const { incarnation, state, version, meta, dueAt, wakes, quarantined } = record;
    this.#last = { incarnation, state, version, dueAt, wakes, quarantined };
    this.#meta = metaOf(meta);
    this.ids.loaded(this.#meta.putOff ?? []);
    return incarnation;
  }

  /** Whether it is known what the store has of the instance. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** Whether the record that was loaded is by this runtime: the instance was passive. */
  get isOwn(): boolean {
    return this.#isOwn;
  }

  /**
   * In a careful start: writes down that the instance is about to start. Resolves when that is committed, and it may; rejects
   * with `PROCESS_CRASHED` when the process has ended with so many starts of it that there is none any more.
   */
  starting(): Promise<void> | undefined {
    const careful = this.#options.careful();
    if (careful === undefined || this.#last === undefined || this.#isFenced) return undefined;
    return this.#tried.start(careful);
  }

  get #tried(): StartTrial {
    const { address, clock } = this.#options;
    return (this.#trial ??= new StartTrial({
      address,
      clock,
      last: () => this.#last,
      isGone: () => this.#isFenced || this.#isClosed,
      starts: () => this.#meta.starts,
      note: (meta) => {
        this.#note(meta);
        return this.#record(this.#last as LastState);
      },
      hasEvents: () => this.#rows.more,
      lived: () => this.#rows.begin(),
    }));
  }

  /** The instance runs: its events may be handed over as soon as it has survived its start. */
  began(): void {
    if (this.#meta.starts === undefined) this.#rows.begin();
    else this.#tried.began();
  }

  /** Resolves when the instance has survived its start, or has ended; `undefined` when there is nothing to wait for. */
  get survived(): Promise<void> | undefined {
    return this.#trial?.survived;
  }

  /** When the earliest timer of the last state is due, and whether a child was active in it. */
  get ahead(): { readonly dueAt?: number | undefined; readonly wakes: boolean } | undefined {
    return this.#last;
  }

  /** The number of the last state. */
  get seq(): number {
    return this.#seq;
  }

  /** Whether there is a state, told or loaded, with which the instance can go on. */
  get any(): boolean {
    return this.#last !== undefined;
  }

  /** The evidence with which the instance was quarantined before this process, while it still is. */
  get quarantine(): object | undefined {
    return this.#last?.quarantined === true ? this.#meta.quarantine : undefined;
  }

  /** Why it is not known what the store has of the instance. */
  get unread(): unknown {
    return this.#unread;
  }

  /**
   * The instance is in that state now; the ticket, for one that does not write behind, settles when it is committed.
   * Returns an error for a state that is not committed: `SECRET_IN_SNAPSHOT` or `STATE_TOO_LARGE`.
   */
  told(told: ToldState, incarnation: number, turns?: Turns): Ticket | HoldfastError | undefined {
    if (this.#isFenced) return undefined;
    const { address, secretIn, learned, large } = this.#options;
    const [before, searched] = [this.#last?.texts, this.#searched];
    const fit = fitState(told, { address, secretIn, learned, before, searched });
    if (fit instanceof HoldfastError) return fit;
    this.#searched = fit.searched;
    if (fit.large !== undefined && this.#seq > 0) large?.(fit.large);
    if (this.#meta.input !== undefined) this.#note({ input: undefined });
    if (turns !== undefined) this.#handled(turns, incarnation);
    const { state, version, dueAt, wakes } = told;
    const last = { incarnation, version, state, texts: fit.texts, dueAt, wakes, quarantined: false };
    return this.#awaited(this.#record(last, told.texts));
  }

  /**
   * The instance is done and begins anew, with that input: it keeps its rows, and its record says so. Returns
   * `SECRET_IN_SNAPSHOT` for an input that is not committed.
   */
  anew(incarnation: number, input: EncodedState | undefined): Ticket | HoldfastError | undefined {
    const path = input === undefined ? undefined : this.#options.secretIn(input);
    if (path !== undefined) return secretInSnapshot(this.#options.address, path);
    this.#note({ input, secrets: undefined });
    this.#stale = this.steps.clear();
    return this.#awaited(this.#record({ incarnation, state: ANEW, wakes: false, quarantined: false }));
  }

  /** The input of an instance that was done, and begins anew. */
  get input(): EncodedState | undefined {
    return this.#meta.input;
  }

  /** The instance is quarantined: its record says so from now on, and why. */
  quarantined(evidence: object): void {
    if (this.#last === undefined) return;
    this.#trial?.end();
    this.#note({ quarantine: evidence, starts: undefined });
    this.#record({ ...this.#last, quarantined: true });
  }

  /** The instance is quarantined no more. */
  resumed(): void {
    if (this.#last?.quarantined !== true) return;
    this.#note({ quarantine: undefined });
    this.#record({ ...this.#last, quarantined: false });
  }

  #note(meta: RecordMeta): void {
    this.#meta = { ...this.#meta, ...meta };
  }

  /** `texts`: those that no state had before. */
  #record(last: LastState, texts: NewTexts = []): Ticket {
    const { committer } = this.#options;
    this.#last = last;
    this.#seq += 1;
    const draft = (this.#draft ??= new TurnDraft());
    if (this.#stale.length > 0) (draft.endedStarts ??= []).push(...this.#stale.splice(0));
    draft.record = { last, seq: this.#seq, meta: this.#meta };
    if (isLarge(last.state, texts)) draft.isLarge = true;
    this.#rows.recorded();
    return (this.#ticket = committer.add(this));
  }

  /** What is to be waited for: nothing, when states are written behind. */
  #awaited(ticket: Ticket): Ticket | undefined {
    return this.#options.behind ? undefined : ticket;
  }

  /** The turns have left the state as it was last told. */
  handled(turns: Turns, incarnation: number): Ticket | undefined {
    if (this.#isFenced) return undefined;
    const isNoted = this.#handled(turns, incarnation);
    // A state that has not changed is told again what it was not written with.
    if (turns.rows.length === 0 && turns.answers === undefined) return undefined;
    if (isNoted && this.#last !== undefined) return this.#awaited(this.#record(this.#last));
    return this.#awaited((this.#ticket = this.#options.committer.add(this)));
  }

  /** Returns whether the record has to say something else of what was put off. */
  #handled({ rows, answers = [], seen = [] }: Turns, incarnation: number): boolean {
    for (const one of seen) this.saw(one);
    if (rows.length === 0 && answers.length === 0) return false;
    const draft = (this.#draft ??= new TurnDraft());
    for (const row of rows) {
      const n = this.#rows.told(row);
      if (n !== undefined) (draft.handled ??= []).push(n);
      (draft.rows ??= []).push(row);
    }
    if (answers.length === 0 && rows.every(({ id }) => id === undefined)) return false;
    const isNoted = this.ids.changes(answers);
    const ids = this.ids.told(rows, answers, incarnation);
    if (ids.length > 0) (draft.ids ??= []).push(...ids);
    if (isNoted) this.#note({ putOff: this.ids.putOff });
    return isNoted;
  }

  // --- secrets --------------------------------------------------------------------------------------------

  seenOf(label: string): SeenSecret | undefined {
    return this.#meta.secrets?.find((one) => one.label === label);
  }

  /** Goes with the next state. */
  saw(seen: SeenSecret): void {
    const { label, versionId = this.seenOf(label)?.versionId, epoch, trouble } = seen;
    const others = this.#meta.secrets?.filter((one) => one.label !== label) ?? [];
    this.#note({ secrets: [...others, { label, versionId, epoch, trouble }] });
  }

  // --- steps ----------------------------------------------------------------------------------------------

  /**
   * A step has returned that; the ticket settles when it is committed. Returns an error for one that is not kept:
   * `SECRET_IN_SNAPSHOT` or `STEP_NOT_KEPT`.
   */
  keepStep(step: KeptStep): Ticket | HoldfastError | undefined {
    if (this.#isFenced || this.isBehind) return undefined;
    const { address, secretIn, committer } = this.#options;
    if (secretIn(step.value) !== undefined || secretIn(JSON.stringify(step.key)) !== undefined)
      return secretInStep(address);
    if (!this.steps.add(step)) return noRoom(address);
    ((this.#draft ??= new TurnDraft()).steps ??= []).push(step);
    return (this.#ticket = committer.add(this));
  }

  /** The starts have ended, and what their steps have returned goes with the state that was told. */
  endSteps(starts: readonly string[]): void {
    const ended = this.steps.end(starts);
    if (ended.length === 0 || this.#isFenced) return;
    ((this.#draft ??= new TurnDraft()).endedStarts ??= []).push(...ended);
    this.#ticket = this.#options.committer.add(this);
  }

  // --- the rows of its mailbox --------------------------------------------------------------------------

  /** The rows of its mailbox. */
  get rows(): Pick<
    MailboxRows,
    | 'add'
    | 'again'
    | 'any'
    | 'drop'
    | 'follow'
    | 'followNow'
    | 'isCareful'
    | 'isNew'
    | 'look'
    | 'release'
    | 'dueAt'
    | 'full'
    | 'more'
    | 'written'
  > {
    return this.#rows;
  }

  /** Whether states are written behind, so that nothing that is told rests on them. */
  get isBehind(): boolean {
    return this.#options.behind;
  }

  /** Whether the value of a secret stands in an event, which then must not be stored. */
  hasSecret(event: EncodedState): boolean {
    return this.#options.secretIn(event) !== undefined;
  }

  /** The row was in hand at another crash. Returns whether that was its last: it is not tried again. */
  attempted(row: KeptRow): boolean {
    this.#rows.attempted(row);
    return row.isPoison;
  }

  /**
   * The event of the row was not handled and will not be: it becomes a letter, with the evidence against it, whose id is
   * returned. The id of its caller keeps the `failure`, which is the error as the store has it; without one, it may come again.
   */
  refused(
    row: KeptRow,
    reason: DeadLetterReason,
    error: Error,
    {
      failure,
      evidence,
    }: { readonly failure?: EncodedState | undefined; readonly evidence?: object | undefined },
  ): string | undefined {
    const { clock, committer } = this.#options;
    const { id } = row;
    const n = this.#rows.told(row);
    row.settle(error);
    const draft = (this.#draft ??= new TurnDraft());
    if (n !== undefined) {
      (draft.handled ??= []).push(n);
      const shown = this.#withoutSecrets(evidence);
      (draft.letters ??= []).push(rowLetter(row.row, reason, clock.date(), shown));
    }
    if (id !== undefined && failure !== undefined)
      (draft.ids ??= []).push(this.ids.over(id, { outcome: 'failed', value: failure }));
    else if (id !== undefined) this.ids.failed(id, error);
    (draft.rows ??= []).push(row);
    this.#ticket = committer.add(this);
    return n === undefined ? undefined : letterIdOf(n);
  }

  #withoutSecrets(evidence: object | undefined): object | undefined {
    const isSafe = evidence === undefined || this.#options.secretIn(JSON.stringify(evidence)) === undefined;
    return isSafe ? evidence : undefined;
  }

  /** The row leaves the mailbox unhandled, and the store keeps it if it has it, or is to have it. */
  left(row: KeptRow, error?: HoldfastError): void {
    if (row.id !== undefined) this.ids.release(row.id);
    this.#rows.left(row, error);
  }

  /** The instance has sent the events in turns that were told; the ticket settles when they are committed. */
  sent(events: readonly Sent[], outcomes: TellOutcomes): Ticket {
    const { address: from, host, admit, committer } = this.#options;
    const sends = ((this.#draft ??= new TurnDraft()).sends ??= []);
    for (const sent of events) {
      const [to, event, headers, activate, wait] = sent;
      const awaited = wait && awaitedOf(wait, outcomes);
      const admitted = admit(sent);
      if (admitted instanceof HoldfastError) {
        awaited?.failed(admitted);
        continue;
      }
      const row: MailboxRow = { n: host.next(), to, from, event, dueAt: 0, attempts: 0 };
      const isStarting = activate && !admitted.isPlain;
      sends.push({
        row: isStarting ? { ...row, activate } : row,
        ...admitted,
        activate,
        headers,
        awaited,
      });
    }
    return (this.#ticket = committer.add(this));
  }

  /** The instance has ended: nothing is left of it once the ticket has settled. */
  ended(): Ticket | undefined {
    this.#last = undefined;
    this.steps.clear();
    if (this.#isFenced) return undefined;
    if (this.#commit === undefined && this.#draft === undefined && this.#writing === undefined)
      return undefined;
    const draft = (this.#draft ??= new TurnDraft());
    draft.record = undefined;
    draft.end = true;
    return this.#awaited((this.#ticket = this.#options.committer.add(this)));
  }

  get isPlain(): boolean {
    return this.#draft?.record !== undefined && !this.#draft.end;
  }

  get isLarge(): boolean {
    return this.#draft?.isLarge === true;
  }

  get isInParts(): boolean {
    // One that has another large state before all of the last one has left is to be written at some time.
    if (this.#isFenced || this.#options.store.textsAhead !== true) return false;
    return this.#texts.isAhead(this.#draft?.record?.last.texts);
  }

  takePart(): TurnCommit {
    const draft = this.#draft as TurnDraft;
    const { last } = draft.record as DraftRecord;
    const { state, texts } = last as LastState & { readonly texts: StateTexts };
    const { added, isLast } = this.#texts.next(texts);
    if (isLast) draft.isLarge = state.length > LARGE_STATE;
    return { address: this.#options.address, after: this.#commit, texts: added };
  }

  draft(): PlacedTurn | undefined {
    const draft = this.#draft;
    this.#draft = undefined;
    if (draft === undefined || this.#isFenced) return undefined;
    this.#writing = draft;
    if (!draft.isWritten) return undefined;
    const { address } = this.#options;
    const { record: told } = draft;
    const record =
      told && this.#texts.record(told.last, { address, seq: told.seq, meta: this.#metaText.of(told.meta) });
    const commit = commitOf(draft, { address, after: this.#commit, record });
    return this.#epoch === undefined ? commit : { ...commit, epoch: this.#epoch };
  }

  passed(): void {
    const sends = this.#writing?.sends ?? [];
    if (this.#isFenced) return;
    this.#writing = undefined;
    for (const sent of sends) this.#options.hand(sent);
  }

  written(group: string, result: CommitResult): void {
    const draft = this.#writing;
    this.#writing = undefined;
    if (draft?.record !== undefined) {
      this.#commit = group;
      this.#options.wrote?.(this.#texts.bytes);
    } else if (draft?.end === true) this.#commit = undefined;
    if (draft?.rows !== undefined) for (const row of draft.rows) this.#rows.done(row);
    if (draft?.sends !== undefined) {
      const letterOf = lettersIn(result);
      for (const sent of draft.sends) this.#options.hand(sent, letterOf(sent.row.n));
    }
    this.#pace.committed(draft?.sends, result);
    if (draft?.ids !== undefined) for (const kept of draft.ids) this.ids.committed(kept);
  }

  lost(why: Lost | 'moved'): void {
    // Where partitions move from node to node, it is no fault that another goes on with an address.
    const isMoved = why === 'fenced' && this.#epoch !== undefined;
    this.lose(lostTurn(this.#options.address, isMoved ? 'moved' : why));
  }

  /** Nothing more of the instance is committed or told; it ends, but for that, as it would have. */
  shut(): void {
    this.#isFenced = true;
  }

  /** Nothing more of the instance is committed, and so nothing more is told. */
  lose(error: HoldfastError): void {
    if (this.#isFenced) return;
    this.#isFenced = true;
    this.#trial?.end();
    this.#options.fenced(error);
  }

  /** Whether the instance is gone. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The instance is gone; what it had to commit still is. */
  close(error: HoldfastError): void {
    this.#isClosed = true;
    this.#trial?.end();
    this.#rows.close(error);
    if (!this.#isResting) this.ids.close(error, this.#isFenced);
  }

  /** The instance is passive: what is to be known of it is loaded again when it wakes. */
  rest(): void {
    this.#last = undefined;
    this.#loaded = false;
    this.#meta = {};
    this.#isResting = true;
    this.ids.rest();
  }

  /** The instance is not passive any more. It may be loaded, and ended even if it is not. */
  reopen(): void {
    this.#isClosed = this.#isResting = false;
    this.#recorded = true;
    this.#epoch = this.#options.epoch();
    const before = this.#rows;
    this.#rows = new MailboxRows({ ...this.#options, ids: this.ids });
    this.#rows.after(before);
    this.#after = this.#options.opened(this);
  }

  /** Resolves when nothing of the instance waits to be committed. */
  async quiet(): Promise<void> {
    while (this.#ticket?.settled === false)
      await new Promise<void>((resolve) => this.#ticket?.whenSettled(resolve));
  }
}

function wholeOf({ state, texts }: Pick<LastState, 'state' | 'texts'>): EncodedState {
  return texts === undefined ? state : texts.whole(state as string);
}

/** Whether the instance of a record has run in that process: nothing but its start may be written down before it does. */
export function isOwnRecord({ commit, meta }: StoredRecord, owner: string): boolean {
  return commit.startsWith(owner) && metaOf(meta).starts === undefined;
}

function noRoom(address: string): HoldfastError {
  return new HoldfastError(
    'STEP_NOT_KEPT',
    `a step of ${address} was done, and what it returned is not kept: its steps under way have more than 16 MiB; return what finds the rest, such as an id`,
  );
}

function noRecord(address: string): HoldfastError {
  return new HoldfastError('AGENT_STOPPED', `${address}: it has ended; spawn it again`);
}

function notLoaded(address: string): HoldfastError {
  return new HoldfastError(
    'STORE_FAILED',
    `the store did not load ${address} within ${STORE_MS} ms; see status().store, and spawn it again`,
  );
}
