import { within } from '../base/clock.ts';
import type { IncarnationEnd, StopReason } from '../base/endings.ts';
import { HoldfastError } from '../base/errors.ts';
import type { ResolvedAgent } from '../config/resolve.ts';
import { refusal } from '../dead-letters/refusal.ts';
import type { Mailbox } from '../mailbox/mailbox.ts';
import type { Tag } from '../mailbox/tag.ts';
import { uncommitted } from '../store/uncommitted.ts';
import { secretInSnapshot } from '../store/secret-in-snapshot.ts';
import type { ActivateRequest, CarriedAsk, DoneReport } from '../wire/protocol.ts';
import type { WireSnapshot } from '../wire/snapshot.ts';
import type { PersistedState } from '../xstate/persisted-timer.ts';
import type { AgentTally } from './agent-tally.ts';
import type { Berth, Question } from './berth.ts';
import { Continuation, type ContinuationOptions } from './continuation.ts';
import { InboxView, type InboxOwner } from './inbox-view.ts';
import { Inbox } from './inbox.ts';
import type { IncarnationKind, InstanceEffects, InstanceFacts } from './instance-effects.ts';
import { isOver, phaseAfter, type InstancePhase, type LifeEvent } from './life.ts';
import type { PeerInstance, PeerSeat } from './peer.ts';
import {
  QuarantineError,
  shownError,
  type FailureLog,
  type QuarantineEvidence,
  type RecentFailure,
} from './quarantine.ts';
import { RunsGate } from './runs-gate.ts';
import { TwinLine, type InstanceEnd } from './twin-line.ts';
import { Watchers, type Watched } from './watchers.ts';

/** Milliseconds that a stopped instance gets to end in its thread. */
const STOP_MS = 5000;

export interface InstanceOptions extends ContinuationOptions {
  /** The policy for an instance that ends without having been told to. */
  readonly supervision: ResolvedAgent['supervision'];
  /** The log of its failures; the instances of a group share one. */
  readonly failures: FailureLog;
  /** Whether a machine of the user is its parent, or only its pool. */
  readonly parent: 'machine' | 'pool';
  readonly effects: InstanceEffects;
}

/** One instance as the host knows it: its mailbox, its seat on a thread, and its twin. */
export class Instance implements PeerInstance, InstanceFacts, InboxOwner, Watched {
  readonly agent: ResolvedAgent;
  readonly id: string;
  readonly address: string;
  readonly supervision: ResolvedAgent['supervision'];
  readonly sharedMemory: boolean;
  readonly effects: InstanceEffects;
  readonly inbox: Inbox;
  /** The state from which the instance continues when it starts. */
  readonly continuation: Continuation;
  /** The line back to the twin. */
  readonly twin: TwinLine;
  /** The listeners for its end. */
  readonly watchers: Watchers;
  readonly #failures: FailureLog;
  readonly #gate = new RunsGate();
  #phase: InstancePhase = 'starting';
  #tally: AgentTally | undefined;
  #berth: Berth | undefined;
  #incarnation = 1;
  #first = 1;
  #watched = false;
  #watchedAtStart = false;
  /** The instance has asked the pool for a seat. */
  #due = true;
  #end: Exclude<InstanceEnd, { kind: 'stopped' }> | undefined;
  #quarantine: QuarantineError | undefined;
  #stopping: Promise<void> | undefined;
  #cut = false;
  /** The number of questions so far. */
  #asked = 0;
  /** Settles when the end of the instance is committed. */
  #vanishing: Promise<void> | undefined;
  #vanished: (() => void) | undefined;
  /** Nothing is left of the instance in the store. */
  #forgotten = false;
  /** The end of the last incarnation, which is told when that of the instance is committed. */
  #untold: IncarnationEnd | undefined;
  /** Why nothing more of the instance is committed. */
  #fence: HoldfastError | undefined;
  /** The state of the last incarnation could be neither committed nor restored. */
  #unfit = false;

  constructor(options: InstanceOptions) {
    this.agent = options.agent;
    this.id = options.id;
    this.address = options.address;
    this.supervision = options.supervision;
    this.sharedMemory = options.sharedMemory;
    this.effects = options.effects;
    this.#failures = options.failures;
    this.inbox = new Inbox(new InboxView(this, options.ledger));
    this.continuation = new Continuation(this, options);
    this.twin = new TwinLine(this, options);
    this.watchers = new Watchers(this);
  }

  get mailbox(): Mailbox {
    return this.inbox.mailbox;
  }

  /** Settles when the instance first runs in its thread, or will not. */
  get started(): Promise<void> {
    return this.#gate.started;
  }

  get phase(): InstancePhase {
    return this.#phase;
  }

  /** The instance has ended, is about to end, or is quarantined: it accepts nothing. */
  get over(): boolean {
    return isOver(this.#phase);
  }

  /** Whether the instance has work under way that begins anew in another process. */
  get works(): boolean {
    return this.#phase === 'running' && this.continuation.works;
  }

  /** The error of the quarantine, while the instance is quarantined. */
  get quarantine(): QuarantineError | undefined {
    return this.#quarantine;
  }

  /** The last failure within the window of its restart policy. */
  get failure(): RecentFailure | undefined {
    const { clock } = this.effects;
    const last = this.#failures.last(this.address, clock.date() - this.supervision.intensity.withinMs);
    if (last === undefined) return undefined;
    const { cause, at } = last;
    return { cause, at, ...(this.#end?.kind === 'failed' && { error: shownError(this.#end.error) }) };
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  /** The number of restarts since the spawn. */
  get restarts(): number {
    return this.#incarnation - this.#first;
  }

  /** The instance continues from where another incarnation stopped, here or in another runtime. */
  get continues(): boolean {
    return this.#incarnation > 1 || this.continuation.given || this.continuation.woken;
  }

  /** Node's id of the thread that hosts the instance; -1 while it has none. */
  get thread(): number {
    return this.#berth?.thread ?? -1;
  }

  /** Changes the phase; returns `false`, and changes nothing, when the current phase does not list the event. */
  #lives(event: LifeEvent): boolean {
    const phase = phaseAfter(this.#phase, event);
    if (phase === undefined) return false;
    this.#tally?.moved(this.#phase, phase);
    this.#phase = phase;
    return true;
  }

  // --- from its inbox and its watchers --------------------------------------------------------------------

  /** The error for senders while the instance is quarantined or the runtime drains; `undefined` otherwise. */
  shut(): Error | undefined {
    return this.#quarantine ?? this.effects.draining();
  }

  /** The mailbox has something to send. */
  ready(): void {
    if (this.#berth !== undefined) this.#berth.ready();
    else this.wake();
  }

  /** Nobody waits for that envelope any more. */
  unawaited(tag: Tag): void {
    this.#berth?.deferred?.delete(tag);
  }

  /** An event is larger than the agent's `mailbox.warnBytes`. */
  large(event: object, bytes: number): void {
    this.effects.large(this, event, bytes);
  }

  /** A listener of `watch` threw. */
  watcherThrew(error: unknown): void {
    this.effects.watcherThrew(this, error);
  }

  /** There is another listener for the end of the instance. */
  watcherAdded(): void {
    if (this.#phase === 'passive') this.effects.watched(this);
  }

  // --- towards the instance -------------------------------------------------------------------------------

  /** The error for an ask that the instance put off, when neither the instance nor its thread failed. */
  ending(): HoldfastError {
    if (this.#phase !== 'restarting') return this.#quarantine ?? this.#stopped();
    const advice = 'it was ended with another instance of its group and is restarted; ask again';
    return refusal(this.address, 'stopped', undefined, advice);
  }

  /** Resolves when everything sent so far has left the mailbox; at once in quarantine, where events wait unhandled. */
  passed(): Promise<void> {
    return this.#quarantine === undefined ? this.inbox.passed() : Promise.resolve();
  }

  /** Asks the thread a question after everything sent before has been handled. Rejects with `ASK_TIMEOUT`. */
  async query(method: Question, timeoutMs: number, ...args: readonly unknown[]): Promise<unknown> {
    const late = (): Error =>
      this.continuation.late(`${method}() was asked`, timeoutMs) ??
      new HoldfastError('ASK_TIMEOUT', `${this.address} did not answer ${method}() within ${timeoutMs} ms`);
    this.#asked += 1;
    const answer = async (): Promise<unknown> => {
      await this.#untilRunning();
      await this.inbox.passed();
      for (;;) {
        const berth = await this.seated();
        try {
          const answer = await berth.ask(method, ...args);
          // It may tell of a state that is not committed, and will not be.
          if (this.#unfit || this.continuation.isFenced)
            throw this.#fence ?? this.#quarantine ?? this.#stopped();
          return answer;
        } catch (error) {
          // The incarnation ended in between; the next one may answer.
          if (berth === this.#berth)
            throw hasEnded(error) ? this.#stopped() : this.effects.scrubber.scrub(error);
        }
      }
    };
    return within(this.effects.clock, timeoutMs, answer(), late);
  }

  /** Resolves with the asks that the incarnation has put off and that a caller in this process still waits for. */
  async putOff(timeoutMs: number): Promise<readonly CarriedAsk[]> {
    const asks = (await this.query('putOff', timeoutMs)) as readonly CarriedAsk[];
    const deferred = this.#berth?.deferred;
    return asks.filter(({ tag }) => deferred?.has(tag) === true);
  }

  /** @throws {HoldfastError} `SECRET_IN_SNAPSHOT` */
  assertWithoutSecrets(state: PersistedState): void {
    const path = this.effects.scrubber.find(state);
    if (path !== undefined) throw secretInSnapshot(this.address, path);
  }

  #untilRunning(): Promise<void> {
    if (this.#phase === 'running') return Promise.resolve();
    if (this.over) return Promise.reject(this.#quarantine ?? this.#stopped());
    const running = this.#gate.next();
    this.wake();
    return running;
  }

  watch(watched: boolean): void {
    this.#watched = watched;
    if (this.#berth?.begun === true) this.#berth.watch(watched);
  }

  /** Ends the instance in its thread and then, after `turn`, here. Idempotent; resolves when nothing is left of it. */
  stop(reason: 'stopped' | 'shutdown' = 'stopped', turn?: Promise<unknown>): Promise<void> {
    return (this.#stopping ??= this.#stop(reason, turn).finally(() => {
      // What waits for the store may be asked for again.
      if (this.#phase !== 'ended') this.#stopping = undefined;
    }));
  }

  /** Restarts a quarantined instance; resolves when it runs. */
  async resume(): Promise<void> {
    const before = this.#quarantine;
    const loading = before && this.continuation.reloaded();
    if (loading !== undefined) await loading;
    if (before !== undefined && this.#quarantine === before) this.effects.resume(this);
    // An instance of a group may have to wait for the others, and stays quarantined until then.
    if (before !== undefined && this.#quarantine === before) await this.#gate.next();
    else await this.#untilRunning();
  }

  /** Ends this incarnation together with another of its group; the supervisor says when the next one begins. */
  pause(): void {
    if (this.#lives('pause')) void this.#letGo();
  }

  async #letGo(): Promise<void> {
    const [berth, incarnation] = [this.#berth, this.#incarnation];
    this.#due = false;
    this.continuation.dropped();
    const begun = berth?.begun === true;
    if (begun) await this.#leave(berth);
    const still = this.#berth === berth;
    const quarantined = this.#phase === 'quarantined';
    if (still) {
      this.#unseat();
      this.inbox.unhandled.refuseMoved(undefined);
    }
    if (begun && (still || quarantined)) this.watchers.ended(this.#ending('stopped'));
    if (quarantined) this.watchers.finished();
    if (this.#incarnation === incarnation) this.effects.down(this);
  }

  /** Ends the instance after its twin was stopped by the twin's parent; the twin is told nothing more. */
  twinStopped(): Promise<void> {
    this.twin.cut();
    return this.stop();
  }

  async #stop(reason: 'stopped' | 'shutdown', turn?: Promise<unknown>): Promise<void> {
    const wasPassive = this.#phase === 'passive';
    if (!this.#lives('stop')) return;
    if (wasPassive) this.effects.waking(this, false);
    if (this.#vanishing !== undefined) return this.#within(this.#vanishing, STOP_MS, 'it ended');
    if (this.#berth?.begun === true) await this.#leave(this.#berth, reason);
    if (turn !== undefined) await turn;
    const ending = this.#finish({ kind: 'stopped', reason });
    if (ending !== undefined) await this.#within(ending, STOP_MS, 'it stopped');
    // What the store has of the instance is still there.
    if (this.#fence !== undefined && reason === 'stopped') throw this.#fence;
  }

  /** Waits for a commit at most so long. Rejects with `STORE_FAILED`. */
  #within(commit: Promise<void>, ms: number, what: string): Promise<void> {
    return within(this.effects.clock, ms, commit, () => uncommitted(this.address, what, ms));
  }

  async #leave(berth: Berth, reason: 'stopped' | 'shutdown' = 'stopped'): Promise<void> {
    const { clock } = this.effects;
    try {
      const left = berth.leave();
      // No deadline at a shutdown, which also ends the threads that do not answer.
      await (reason === 'shutdown' ? left : within(clock, STOP_MS, left, () => this.#stopped()));
    } catch {
      // The thread is gone or does not answer; either way the host no longer talks to this instance.
      this.#cut = true;
    }
  }

  /** The instance ended without being stopped by its thread: what it had begun there was not cleaned up. */
  get cut(): boolean {
    return this.#cut;
  }

  // --- from its thread ------------------------------------------------------------------------------------

  activation({ slot }: Pick<Berth, 'slot'>): ActivateRequest {
    this.#watchedAtStart = this.#watched;
    return this.continuation.request(slot, this.#watched);
  }

  /** Loads the state to continue from when there is a store; `undefined` when there is nothing to wait for. */
  prepared(): Promise<void> | undefined {
    return this.continuation.prepared()?.then((before) => {
      if (before === undefined) return;
      // An instance that is quarantined has not begun its next incarnation.
      const found = this.continuation.quarantine !== undefined;
      this.#first = this.#incarnation = before + (found || this.continuation.found() ? 0 : 1);
      if (found && this.#lives('end'))
        this.effects.ended(this, 'quarantined', { reason: 'error', error: undefined });
    });
  }

  /** The instance has left its thread to continue, as the same incarnation, on another one. */
  departed(state: PersistedState, asks: readonly CarriedAsk[] = []): void {
    // An instance that is being ended with its group does not move.
    if (!this.#lives('depart')) return this.continuation.stranded(asks);
    this.#due = true;
    const from = this.#berth?.n ?? 0;
    this.#unseat();
    this.continuation.moved(state, asks);
    this.effects.moving(this, from);
  }

  // --- passivation ----------------------------------------------------------------------------------------

  /** A number that grows with whatever the instance does, or is asked. */
  get uses(): number {
    return this.handled + this.continuation.seq + this.#asked;
  }

  /** Whether the host knows of nothing that keeps the instance in memory. */
  mayRest(now: number): boolean {
    const berth = this.#berth;
    if (this.#phase !== 'running' || berth === undefined || this.#watched) return false;
    if (this.mailbox.depth > 0 || (berth.deferred?.size ?? 0) > 0 || this.#gate.awaited) return false;
    const { restarts, withinMs } = this.supervision.intensity;
    if (restarts > 0 && this.#failures.since(now - withinMs)) return false;
    return this.continuation.mayRest(now);
  }

  /** Has the instance leave memory, if its thread knows of nothing that it has to do; resolves with whether it has. */
  async rest(): Promise<boolean> {
    const left = await this.#berth?.rest().catch(() => false);
    return left === true;
  }

  /** The instance has left its thread, and all there is of it is in the store. */
  rested(): void {
    const isNeeded = this.mailbox.depth > 0;
    if (!this.#lives(isNeeded ? 'depart' : 'rest')) return;
    this.#unseat();
    // What came while it left is handled by the same incarnation on another seat.
    if (isNeeded) {
      this.#due = true;
      this.continuation.stayed();
      return this.effects.place(this);
    }
    this.continuation.rested();
    this.effects.passive(this);
    if (this.#gate.awaited) this.#wake();
  }

  /** Brings a passive instance back, as the same incarnation. */
  wake(): void {
    if (this.#phase !== 'passive') return;
    const shut = this.effects.draining();
    if (shut === undefined) this.#wake();
    else this.#gate.shut(shut);
  }

  #wake(): void {
    if (!this.#lives('wake')) return;
    this.#due = true;
    this.effects.waking(this, true);
  }

  /** The record of the instance, which was passive, could not be loaded; returns whether to try it again. */
  notLoaded(error: unknown): boolean {
    if (this.#phase !== 'moving') return false;
    if (isUnfit(error)) this.unfit(error);
    else if (hasEnded(error)) {
      this.#end = { kind: 'failed', error };
      this.watchers.ended(this.#ending('error'));
      this.finishEnded();
    } else if (error instanceof HoldfastError && error.code === 'STORE_LOCKED') void this.fenced(error);
    else return true;
    return false;
  }

  /** Takes the seat that the pool has given; returns `false` when the instance has a seat or needs none any more. */
  placed(berth: Berth): boolean {
    if (!this.#due || this.#berth !== undefined || this.over) return false;
    this.#due = false;
    this.#berth = berth;
    return true;
  }

  /** Whether the instance is to start on that seat. */
  awaits(berth: Berth): boolean {
    return this.#berth === berth && !this.over;
  }

  /** The pool has no seat for the instance. */
  refused(error: HoldfastError, reason: StopReason): void {
    if (!this.#due || this.over) return;
    this.#due = false;
    this.unplaced(error, reason);
  }

  /** No thread could be started. An instance that only moves has lost nothing, and waits until a thread can start. */
  unplaced(error: unknown, reason: StopReason = 'error'): void {
    if (this.#phase !== 'moving') return this.startFailed(error, reason);
    this.#unseat();
    this.#due = true;
    this.effects.placeLater(this);
  }

  /** Resolves with the seat as soon as the instance runs; rejects when it has ended. */
  async seated(): Promise<Berth> {
    for (;;) {
      await this.#untilRunning();
      // The instance may have ended or moved since.
      if (this.#berth !== undefined && this.#phase === 'running') return this.#berth;
    }
  }

  /** Whether the instance runs on that seat. */
  sits(seat: PeerSeat): boolean {
    return this.#berth === seat && this.#phase === 'running';
  }

  /** The number of envelopes handled since the spawn, over all incarnations and senders. */
  get handled(): number {
    return this.mailbox.handled + (this.#berth ? this.effects.fromPeers(this.#berth) : 0);
  }

  handledFromPeers(count: number): void {
    this.mailbox.handledBeside(count);
  }

  /** Is counted in that tally from now on, and in no other. */
  countIn(tally: AgentTally | undefined): void {
    this.#tally?.left(this.#phase);
    tally?.came(this.#phase);
    this.#tally = tally;
    this.mailbox.countIn(tally);
  }

  /** Whether the instance still has that seat; after a late start it may not. */
  holds(seat: PeerSeat): boolean {
    return this.#berth === seat;
  }

  running(): void {
    if (this.#berth === undefined || !this.#lives('run')) return;
    this.continuation.begun(this.#berth);
    this.#gate.open();
    this.effects.running(this);
    // The activation carried whether to mirror; an observer may have come or gone since.
    if (this.#watched !== this.#watchedAtStart) this.watch(this.#watched);
  }

  startFailed(error: unknown, reason: StopReason = 'error'): void {
    this.#unseat();
    if (this.continuation.hasRecord && isUnfit(error)) return this.unfit(error);
    if (this.#phase === 'starting') {
      const shown = reason === 'shutdown' ? this.#stoppedBy(reason) : this.effects.scrubber.scrub(error);
      this.#end = { kind: 'failed', error: shown };
      this.watchers.ended(this.#ending(reason));
      this.finishEnded();
    } else {
      this.failed(error, reason);
    }
  }

  /**
   * Ends the incarnation, whose state can be neither committed nor restored: the instance is quarantined, and its record
   * stays as it was. Those who wait for something of it get the error.
   */
  unfit(error: HoldfastError): void {
    this.#unfit = true;
    this.#end = { kind: 'failed', error };
    this.inbox.unanswered(error);
    this.#endedWith(error.code === 'STORE_CORRUPT' ? 'damaged' : 'unfit', 'error');
  }

  /** Ends the instance here for good, because another runtime has continued with its address. */
  async fenced(error: HoldfastError): Promise<void> {
    const told = this.#phase === 'restarting' || this.#phase === 'quarantined';
    this.#fence = error;
    // Nothing that was committed by nobody is told, whatever the thread still answers.
    this.inbox.untold(error);
    // Its thread would say of asks that were put off no more than that it has ended.
    for (const tag of this.#berth?.deferred ?? []) this.effects.waiting.reject(tag, error);
    if (this.#vanishing !== undefined) return this.#finished({ kind: 'failed', error });
    const wasPassive = this.#phase === 'passive';
    if (!this.#lives('fence')) return;
    if (wasPassive) this.effects.waking(this, false);
    if (this.#berth?.begun === true) await this.#leave(this.#berth);
    if (!told) this.watchers.ended(this.#ending('error'));
    void this.#finish({ kind: 'failed', error });
  }

  done(report: DoneReport): void {
    this.#end = { kind: 'done', report };
    this.continuation.done();
    this.#endedWith('done', 'done');
  }

  /** The incarnation has failed. `snapshot` is its last one, where that is known. */
  failed(error: unknown, reason: StopReason = 'error', snapshot?: WireSnapshot): void {
    this.#end = { kind: 'failed', error: this.effects.scrubber.scrub(error), snapshot };
    this.#endedWith('failed', reason);
  }

  #endedWith(kind: IncarnationKind, reason: StopReason): void {
    this.#unseat();
    if (!this.#lives('end')) return;
    if (reason !== 'stopped') this.#failures.add(this.address, reason, this.effects.clock.date());
    this.inbox.unhandled.refuseMoved(this.#end?.kind === 'failed' ? this.#end.error : undefined);
    const ending = this.#ending(reason);
    // What the supervisor decides may be the end, which is told when it is committed.
    if (this.continuation.durable) this.#untold = ending;
    else this.watchers.ended(ending);
    this.effects.ended(this, kind, {
      reason,
      error: this.#end?.kind === 'failed' ? this.#end.error : undefined,
    });
    if (this.#untold !== ending || this.#vanishing !== undefined) return;
    this.#untold = undefined;
    // A quarantine, or the end, has told it.
    if (!this.over) this.watchers.ended(ending);
  }

  #ending(reason: StopReason): IncarnationEnd {
    return { address: this.address, incarnation: this.#incarnation, reason };
  }

  #unseat(release = true): void {
    this.continuation.unseated();
    const berth = this.#berth;
    this.#berth = undefined;
    berth?.end(release);
  }

  // --- what the supervisor decided ------------------------------------------------------------------------

  /** Begins the next incarnation, which gets the events that wait in the mailbox. */
  restart(): void {
    const isQuarantined = this.#phase === 'quarantined';
    if (!this.#lives('restart')) return;
    this.#incarnation += 1;
    this.#due = true;
    if (!isQuarantined) return;
    this.continuation.resumed();
    this.#quarantine = undefined;
    this.#unfit = false;
    this.#failures.clear();
    this.watchers.resumed();
    this.twin.revive();
  }

  /** Makes the end of the last incarnation the end of the instance. */
  finishEnded(): void {
    void this.#finish(this.#end ?? { kind: 'failed', error: undefined });
  }

  /**
   * Quarantines the instance, which failed too often, or of whose group `because` did: it keeps its address and its
   * mailbox, and accepts nothing more until it is resumed. Returns the error, unless it was quarantined before this
   * process.
   */
  giveUp(because?: Instance): QuarantineError | undefined {
    if (!this.#lives('give-up')) return undefined;
    const { address, supervision } = this;
    const own = this.#end?.kind === 'failed' ? this.#end.error : undefined;
    const cause = because === undefined ? own : because.quarantine?.cause;
    const suspect =
      because === undefined ? this.effects.deadLetters.suspectOf(address, this.#incarnation) : undefined;
    const found = this.continuation.quarantine as QuarantineEvidence | undefined;
    const why = { because: because?.address, unfit: this.#unfit };
    const evidence = found ?? this.#failures.evidence(cause, supervision, suspect, why);
    const error = new QuarantineError(address, evidence, cause);
    const again = this.#quarantine !== undefined;
    this.#quarantine = error;
    if (found === undefined) this.continuation.quarantined(evidence);
    if (because === undefined) this.watchers.finished();
    else void this.#letGo();
    this.#gate.shut(error);
    this.mailbox.release();
    this.effects.quarantined(this);
    // The twin of an instance that is quarantined again before it restarted has ended already.
    if (!again) this.twin.end({ type: 'holdfast.failed', error });
    return found === undefined ? error : undefined;
  }

  /** Ends the instance, once nothing is left of it in the store; `undefined` when there is nothing to wait for. */
  #finish(end: InstanceEnd): Promise<void> | undefined {
    if (this.#vanishing !== undefined) return this.#vanishing;
    const stopped = end.kind === 'stopped' ? end.reason : undefined;
    // A shutdown only pauses the instance, and one that never ran must not delete what is stored.
    const ended = stopped === 'stopped' || (stopped === undefined && this.#gate.opened);
    const forgotten = ended && this.#fence === undefined;
    this.#forgotten = forgotten && !this.continuation.isFenced;
    const ticket = forgotten && this.#phase !== 'ended' ? this.continuation.forget() : undefined;
    if (ticket === undefined || ticket.settled) {
      this.#finished(end);
      return undefined;
    }
    this.#lives('stop');
    this.#unseat();
    this.#vanishing = new Promise((resolve) => {
      this.#vanished = resolve;
      ticket.whenSettled(() => this.#finished(end));
    });
    return this.#vanishing;
  }

  #finished(end: InstanceEnd): void {
    const last = this.twin.last(end);
    if (!this.#lives('finish')) return;
    const stopped = end.kind === 'stopped' ? end.reason : undefined;
    // The twin has ended with the quarantine.
    const isTold = this.#quarantine === undefined;
    this.#quarantine = undefined;
    this.watchers.finished(this.#untold ?? (stopped && this.#ending(stopped)));
    // A shutdown gives back all seats at once.
    this.#unseat(stopped !== 'shutdown');
    if (end.kind === 'failed') this.#gate.shut(end.error);
    else if (this.#gate.awaited) this.#gate.shut(this.#stoppedBy(stopped));
    this.inbox.unhandled.close(undefined, !this.#forgotten);
    this.effects.gone(this, this.#refusalAfter(end));
    if (isTold) this.twin.end(last);
    this.#vanished?.();
  }

  /** The error for what was promised to be kept, when nothing will keep it any more. */
  #refusalAfter(end: InstanceEnd): HoldfastError {
    if (end.kind !== 'failed') return this.#stoppedBy(end.kind === 'stopped' ? end.reason : undefined);
    const { error } = end;
    const isOver = error instanceof HoldfastError && error.code === 'RUNTIME_STOPPED';
    return isOver ? error : refusal(this.address, 'stopped', error);
  }

  #stoppedBy(reason: StopReason | undefined): HoldfastError {
    if (reason !== 'shutdown') return this.#stopped();
    return new HoldfastError(
      'RUNTIME_STOPPED',
      `${this.address}: the runtime was stopped meanwhile; create a new one`,
    );
  }

  #stopped(): HoldfastError {
    return refusal(this.address, 'stopped');
  }
}

const UNFIT: ReadonlySet<string> = new Set(['STATE_INCOMPATIBLE', 'STORE_CORRUPT', 'PROCESS_CRASHED']);

/** Whether a start fails with that each time, until the record or the code is another. */
function isUnfit(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && UNFIT.has(error.code);
}

function hasEnded(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'AGENT_STOPPED';
}
