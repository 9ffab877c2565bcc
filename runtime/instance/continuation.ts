import { HoldfastError } from '../base/errors.ts';
import type { SeenSecret, SeenSecrets } from '../base/seen-secret.ts';
import type { Ticket } from '../base/ticket.ts';
import type { ResolvedAgent } from '../config/resolve.ts';
import { refusal } from '../dead-letters/refusal.ts';
import type { Marked } from '../mailbox/mark.ts';
import type { Waiting } from '../mailbox/waiting.ts';
import type { Keeper } from '../store/keeper.ts';
import type { KeptAnswer } from '../store/kept-ids.ts';
import type { Ledger, Turns } from '../store/ledger.ts';
import type { ToldState } from '../store/told-state.ts';
import type { KeptRow } from '../store/kept-row.ts';
import { SeenMark } from '../store/seen-mark.ts';
import { uncommitted } from '../store/uncommitted.ts';
import { decodeEvent, encodeEvent } from '../wire/encoded-state.ts';
import type { Sent, TellOutcomes } from '../store/sent-event.ts';
import type { ActivateRequest, AnswerOf, CarriedAsk, StepOf } from '../wire/protocol.ts';
import { withoutShared } from '../wire/shared-memory.ts';
import type { PersistedState } from '../xstate/persisted-timer.ts';
import type { Berth } from './berth.ts';
import { CarriedAsks, type AskToCarry } from './carried-asks.ts';

export interface ContinuationOptions {
  readonly agent: ResolvedAgent;
  readonly id: string;
  readonly address: string;
  readonly input: unknown;
  /** The state from `persist()` to begin with. */
  readonly snapshot: PersistedState | undefined;
  /** The asks that the instance put off in another process and answers here. */
  readonly asks?: readonly AskToCarry[] | undefined;
  /** Keeps the state, when restarts are to continue from it. */
  readonly keeper?: Keeper | undefined;
  /** Commits the state, when the instance is durable. */
  readonly ledger?: Ledger | undefined;
  /** Whether events for the instance may carry memory that threads share, by the config of its pool. */
  readonly sharedMemory: boolean;
  readonly effects: { readonly waiting: Waiting };
}

/** Milliseconds to the next timer of an instance that is not worth being passive for. */
const SOON_MS = 200;

/** The state from which an instance starts: its input, a given or kept state, or that from the thread it has left. */
export class Continuation {
  readonly #of: { readonly incarnation: number };
  readonly #options: ContinuationOptions;
  /** The state that the instance took along from a thread that is replaced. */
  #moved: PersistedState | undefined;
  #carried: CarriedAsks | undefined;
  /** The instance was passive, and notices nothing of that. */
  #woken = false;

  constructor(of: { readonly incarnation: number }, options: ContinuationOptions) {
    this.#of = of;
    this.#options = options;
    if (options.asks !== undefined) this.#carried = this.#carry(options.asks);
  }

  /** Whether the instance was given a state to begin with. */
  get given(): boolean {
    return this.#options.snapshot !== undefined;
  }

  /** Whether a restart continues from the last state that the instance told. */
  get keepsState(): boolean {
    const { keeper, ledger } = this.#options;
    return ledger !== undefined || keeper?.keeps === true;
  }

  /**
   * Loads the state to continue from; `undefined` without a store. Resolves with the last incarnation that the store
   * knows; rejects with `STORE_FAILED`.
   */
  prepared(): Promise<number | undefined> | undefined {
    const { keeper, ledger, snapshot } = this.#options;
    if (ledger !== undefined) return ledger.load(snapshot !== undefined);
    if (snapshot !== undefined) keeper?.beginWith(snapshot);
    return keeper?.stored === true ? this.#load(keeper) : undefined;
  }

  async #load(keeper: Keeper): Promise<number | undefined> {
    const before = await keeper.load();
    // The snapshot of the spawn takes precedence over the stored one.
    const { snapshot } = this.#options;
    if (snapshot !== undefined) keeper.beginWith(snapshot);
    return before;
  }

  /** Whether the instance goes on from a record as it was, because it was passive. */
  get woken(): boolean {
    return this.#woken;
  }

  /** The record that was loaded is of an instance that was passive. */
  found(): boolean {
    const { ledger, snapshot } = this.#options;
    return (this.#woken = ledger?.isOwn === true && snapshot === undefined);
  }

  /** Whether the record that was loaded last is of an instance that was passive. */
  get wasPassive(): boolean {
    return this.#options.ledger?.isOwn === true;
  }

  /** Whether a child was active in the last state that would begin anew with it. */
  get works(): boolean {
    const { ledger } = this.#options;
    return ledger?.ahead?.wakes === true && !ledger.isFenced;
  }

  /** Whether all there is of the instance is in its record, or about to be. */
  mayRest(now: number): boolean {
    const { ledger } = this.#options;
    const ahead = ledger?.ahead;
    if (ledger === undefined || ahead === undefined || ahead.wakes) return false;
    if (ledger.isFenced || ledger.rows.any || ledger.survived !== undefined) return false;
    return ahead.dueAt === undefined || ahead.dueAt - now > SOON_MS;
  }

  /** The number of the last state. */
  get seq(): number {
    return this.#options.ledger?.seq ?? 0;
  }

  /** The instance has left its thread, and is needed at once. */
  stayed(): void {
    this.#woken = true;
  }

  /** The instance is passive. */
  rested(): void {
    this.#options.ledger?.rest();
  }

  /** A passive instance is needed again. */
  reopened(): void {
    this.#options.ledger?.reopen();
  }

  /** Loads the record of an instance that was passive. Rejects with `STORE_FAILED`, `STORE_CORRUPT` or `AGENT_STOPPED`. */
  async reload(): Promise<void> {
    await this.#options.ledger?.load(false);
    this.#woken = true;
  }

  /** In a careful start: has it written down that the instance starts. Rejects with `PROCESS_CRASHED`. */
  starting(): Promise<void> | undefined {
    return this.#options.ledger?.starting();
  }

  /** Returns the request with which the thread starts the instance. */
  request(slot: number, watched: boolean): ActivateRequest {
    const { agent, id, address, keeper, ledger, sharedMemory, snapshot } = this.#options;
    if (ledger?.loaded === false) throw ledger.unread;
    if (this.#moved === undefined) this.#askAgain();
    const asks = this.#carried?.all;
    const steps = ledger?.steps.all?.map(({ start, key, value }): StepOf => [start, key, value]);
    const from = this.#moved ?? ledger?.last ?? keeper?.last ?? snapshot;
    const pool = { threadId: agent.threadId, sharedMemory };
    const given = this.#options.input ?? (ledger?.input && decodeEvent(ledger.input));
    const input = withoutShared(given, pool, 'MESSAGE_UNCLONABLE', `the input of ${address}`);
    withoutShared(from, pool, 'MESSAGE_UNCLONABLE', `the snapshot of ${address}`);
    return {
      slot,
      address,
      id,
      incarnation: this.#of.incarnation,
      moduleUrl: agent.moduleUrl,
      exportName: agent.exportName,
      input,
      ...from,
      // The agent must not notice a move, or that it was passive: its timers fire when they were due.
      timersPolicy: this.#moved === undefined && !this.#woken ? agent.timers : 'deadline',
      ...(this.#woken && this.#moved === undefined && ledger?.last && { recorded: true }),
      ...(this.#isCut && { invoked: agent.invoked }),
      tellsState: keeper !== undefined || ledger !== undefined,
      ...(this.#moved === undefined && steps !== undefined && { steps }),
      ...(ledger !== undefined && { durable: true, ...(ledger.isBehind && { behind: true }) }),
      mirror: agent.mirror,
      watched,
      maxIterations: agent.maxIterations,
      ...(asks !== undefined && asks.length > 0 && { asks }),
    };
  }

  /** Whether the instance goes on from a state in which work was under way that has ended, and the config speaks of it. */
  get #isCut(): boolean {
    const { agent, keeper, ledger } = this.#options;
    const last = ledger?.last ?? keeper?.last;
    return agent.invoked === 'fail' && last !== undefined && this.#moved === undefined && !this.#woken;
  }

  /** An incarnation answers the asks with an id that another one has put off. */
  #askAgain(): void {
    const { agent, ledger, effects } = this.#options;
    const putOff = ledger?.ids.putOff;
    if (ledger === undefined || putOff === undefined || putOff.length === 0) return;
    const asks = putOff.map((one): CarriedAsk => {
      const used = ledger.ids.again(one);
      const { incarnation, ask } = one;
      const wait = {
        timeoutMs: Infinity,
        onTimeout: () => refusal(one.address, 'stopped'),
        of: agent.threadId,
      };
      const answer = effects.waiting.open('ask', wait, (tag) => ledger.ids.awaits(used, tag));
      answer.then(
        (value) => ledger.ids.answered(used, value),
        (error: unknown) => ledger.ids.failed(used, error),
      );
      return { incarnation, ask, tag: used.tag, deadline: Infinity, kept: true };
    });
    this.#carried = (this.#carried ?? this.#carry([])).add(asks);
  }

  /** The instance runs: the asks it carried are now like its own, and a later restart does not use the moved state. */
  begun(berth: Berth): void {
    this.#moved = undefined;
    this.#woken = false;
    this.#carried?.seated(berth, this.#options.agent.threadId);
    this.#options.ledger?.began();
  }

  /** The instance has left its thread, and continues with that state and those asks on another one. */
  moved(state: PersistedState, asks: readonly CarriedAsk[]): void {
    this.#moved = state;
    if (asks.length > 0) this.#carried = (this.#carried ?? this.#carry([])).add(asks);
  }

  /** The instance has left its thread and starts on no other: the asks it took along are rejected. */
  stranded(asks: readonly CarriedAsk[]): void {
    this.#carry([]).add(asks).end();
  }

  /** Drops the state that the instance took along from its thread. */
  dropped(): void {
    this.#moved = undefined;
    this.#woken = false;
  }

  /** The instance gives up its seat: the asks that it has not taken over by now are rejected. */
  unseated(): void {
    this.#carried?.end();
  }

  /** Keeps the state that the thread has told. */
  keep(state: PersistedState): void {
    this.#options.keeper?.keep(state, this.#of.incarnation);
  }

  /**
   * Commits the state that the thread has told; the ticket settles when that is done. Returns the error for a state that
   * is not committed.
   */
  commit(told: ToldState, marked: readonly Marked[] = [], answers?: readonly AnswerOf[]): Committed {
    return this.#options.ledger?.told(told, this.#of.incarnation, turnsOf(marked, answers));
  }

  /** Commits turns that have left the state as it was last told. */
  handled(marked: readonly Marked[] = [], answers?: readonly AnswerOf[]): Ticket | undefined {
    return this.#options.ledger?.handled(turnsOf(marked, answers) ?? { rows: [] }, this.#of.incarnation);
  }

  /** Commits what the instance has sent, in turns that were told; the ticket settles when that is done. */
  commitSends(events: readonly Sent[], outcomes: TellOutcomes): Ticket | undefined {
    return this.#options.ledger?.sent(events, outcomes);
  }

  /** Commits what a step has returned; the ticket settles when that is done. Returns the error of one that is not kept. */
  commitStep([start, key, value]: StepOf): Committed {
    return this.#options.ledger?.keepStep({ start, key, value });
  }

  /** The starts have ended, and their steps go, in a turn that was told. */
  endSteps(starts: readonly string[]): void {
    this.#options.ledger?.endSteps(starts);
  }

  /**
   * Commits that the instance is done: its end, or that it begins anew. Returns the error for an input with which it could
   * not.
   */
  commitDone(marked?: readonly Marked[]): Ticket | HoldfastError | undefined {
    const { agent, input, ledger } = this.#options;
    if (ledger === undefined) return undefined;
    if (marked !== undefined) this.handled(marked);
    if (agent.supervision.restart !== 'permanent') return ledger.ended();
    return ledger.anew(this.#of.incarnation, input === undefined ? undefined : encodeEvent(input));
  }

  /** Whether the state is committed before anything that rests on it is told. */
  get durable(): boolean {
    return this.#options.ledger !== undefined;
  }

  /** What the state knows of its secrets, when it is kept with it. */
  get seen(): SeenSecrets | undefined {
    return this.#options.ledger;
  }

  /** Whether the instance has a record with which it can go on, and which would be lost with it. */
  get hasRecord(): boolean {
    const { ledger } = this.#options;
    return ledger !== undefined && (ledger.any || !ledger.loaded);
  }

  /** The evidence with which the instance was quarantined in another process, while it still is. */
  get quarantine(): object | undefined {
    return this.#options.ledger?.quarantine;
  }

  /** Commits that the instance is quarantined. */
  quarantined(evidence: object): void {
    this.#options.ledger?.quarantined(evidence);
  }

  /** Commits that the instance is quarantined no more. */
  resumed(): void {
    this.#options.ledger?.resumed();
  }

  /** Loads the record where that has failed before; `undefined` when there is nothing to wait for. */
  reloaded(): Promise<unknown> | undefined {
    const { ledger } = this.#options;
    return ledger?.loaded === false ? ledger.load(false) : undefined;
  }

  /** The store fails, and there is no room for what the instance lets out: it ends, and nothing more of it is told. */
  overflown(): void {
    const { address, ledger } = this.#options;
    const message = `${address} ended, because it let out more than can be held while the store fails; see status().store, and spawn it again`;
    ledger?.lose(new HoldfastError('STORE_FAILED', message, { cause: ledger.failing }));
  }

  /** The error for somebody who has waited so long, when it is the store that does not answer; `undefined` otherwise. */
  late(what: string, ms: number): HoldfastError | undefined {
    const { address, ledger } = this.#options;
    const cause = ledger?.failing;
    return cause && uncommitted(address, what, ms, cause);
  }

  /** Whether nothing more of the instance is told. */
  get isFenced(): boolean {
    return this.#options.ledger?.isFenced === true;
  }

  cannotKeep(why: string): void {
    this.#options.keeper?.cannotKeep(why);
  }

  /** The instance is done, and a next incarnation begins anew. */
  done(): void {
    this.#options.keeper?.forget(this.#of.incarnation);
  }

  /** Forgets the kept state: nothing is left of the instance, once the ticket has settled. */
  forget(): Ticket | undefined {
    this.#options.keeper?.forget(this.#of.incarnation);
    return this.#options.ledger?.ended();
  }

  #carry(asks: readonly AskToCarry[]): CarriedAsks {
    const { address, agent, effects } = this.#options;
    return new CarriedAsks(asks, effects.waiting, { address, threadId: agent.threadId });
  }
}

/** What has become of a state: a ticket for its commit, or why it is not committed. */
type Committed = Ticket | HoldfastError | undefined;

function turnsOf(marked: readonly Marked[], answers?: readonly AnswerOf[]): Turns | undefined {
  if (marked.length === 0 && answers === undefined) return undefined;
  const rows: KeptRow[] = [];
  let seen: SeenSecret[] | undefined;
  // An instance marks nothing but what is kept.
  for (const { mark } of marked)
    if (mark instanceof SeenMark) (seen ??= []).push(mark.seen);
    else rows.push(mark as KeptRow);
  return { rows, answers: answers?.map(keptAnswer), seen };
}

function keptAnswer([tag, outcome, what]: AnswerOf): KeptAnswer {
  if (outcome === 'put-off') return { tag, outcome, ask: what };
  if (outcome === 'failed') return { tag, outcome, value: encodeEvent(what) };
  return what === null ? { tag, outcome: 'unkept' } : { tag, outcome, value: what };
}
