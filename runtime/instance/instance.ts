import { within } from '../base/clock.ts';
import type { IncarnationEnd, StopReason } from '../base/endings.ts';
import { HoldfastError } from '../base/errors.ts';
import type { ResolvedAgent } from '../config/resolve.ts';
import { refusal } from '../dead-letters/refusal.ts';
import type { Mailbox } from '../mailbox/mailbox.ts';
import { secretInSnapshot } from '../store/keeper.ts';
import type { ActivateRequest, CarriedAsk, DoneReport } from '../wire/protocol.ts';
import type { WireSnapshot } from '../wire/snapshot.ts';
import type { PersistedState } from '../xstate/persisted-timer.ts';
import type { Berth, Question } from './berth.ts';
import { Continuation, type ContinuationOptions } from './continuation.ts';
import { Inbox } from './inbox.ts';
import type { InstanceEffects, InstanceFacts } from './instance-effects.ts';
import { isOver, phaseAfter, type InstancePhase, type LifeEvent } from './life.ts';
import type { PeerInstance, PeerSeat } from './peer.ts';
import { QuarantineError, suspectOf, type FailureLog } from './quarantine.ts';
import { RunsGate } from './runs-gate.ts';
import { TwinLine, type InstanceEnd } from './twin-line.ts';
import { Watchers } from './watchers.ts';

/** How long a stopped instance gets in its thread. */
const STOP_MS = 5000;

export interface InstanceOptions extends ContinuationOptions {
  /** What happens after it ended without having been told to. */
  readonly supervision: ResolvedAgent['supervision'];
  /** What is remembered of its failures; those of a group share it. */
  readonly failures: FailureLog;
  /** Whether a machine of the user is its parent, or only its pool. */
  readonly parent: 'machine' | 'pool';
  readonly effects: InstanceEffects;
}

/** One instance as the host knows it: its mailbox, its place on a thread, and its twin. */
export class Instance implements PeerInstance, InstanceFacts {
  readonly agent: ResolvedAgent;
  readonly id: string;
  readonly address: string;
  readonly supervision: ResolvedAgent['supervision'];
  readonly sharedMemory: boolean;
  readonly inbox: Inbox;
  /** Where it goes on when it starts. */
  readonly continuation: Continuation;
  /** The way back to its twin. */
  readonly twin: TwinLine;
  /** What other agents sent it over links that have ended. */
  handledFromPeers = 0;
  /** Those who want to know when it ends. */
  readonly watchers: Watchers;
  readonly #effects: InstanceEffects;
  readonly #failures: FailureLog;
  readonly #gate = new RunsGate();
  #phase: InstancePhase = 'starting';
  #berth: Berth | undefined;
  #incarnation = 1;
  #first = 1;
  #watched = false;
  #watchedAtStart = false;
  /** The pool is asked for a place. */
  #due = true;
  #end: Exclude<InstanceEnd, { kind: 'stopped' }> | undefined;
  #quarantine: QuarantineError | undefined;
  #stopping: Promise<void> | undefined;
  #cut = false;

  constructor(options: InstanceOptions) {
    this.agent = options.agent;
    this.id = options.id;
    this.address = options.address;
    this.supervision = options.supervision;
    this.sharedMemory = options.sharedMemory;
    this.#effects = options.effects;
    this.#failures = options.failures;
    const { waiting, deadLetters, messages, sent } = this.#effects;
    this.inbox = new Inbox({
      agent: this.agent,
      address: this.address,
      sharedMemory: this.sharedMemory,
      waiting,
      deadLetters,
      messages,
      sent,
      incarnation: () => this.#incarnation,
      over: () => this.over,
      shut: () => this.#quarantine ?? this.#effects.draining(),
      ready: () => this.#berth?.ready(),
      settled: (tag) => void this.#berth?.deferred.delete(tag),
      large: (event, bytes) => this.#effects.large(this, event, bytes),
    });
    this.continuation = new Continuation(this, options);
    this.twin = new TwinLine(this, options);
    this.watchers = new Watchers((error) => this.#effects.watcherThrew(this, error));
  }

  get mailbox(): Mailbox {
    return this.inbox.mailbox;
  }

  /** Settles when it first runs in its thread. */
  get started(): Promise<void> {
    return this.#gate.started;
  }

  get phase(): InstancePhase {
    return this.#phase;
  }

  /** It has ended, is about to, or is quarantined: it takes nothing. */
  get over(): boolean {
    return isOver(this.#phase);
  }

  /** Why it is quarantined, if it is. */
  get quarantine(): QuarantineError | undefined {
    return this.#quarantine;
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  /** Restarts since it was spawned. */
  get restarts(): number {
    return this.#incarnation - this.#first;
  }

  /** It goes on where another incarnation has stopped, here or in another runtime. */
  get continues(): boolean {
    return this.#incarnation > 1 || this.continuation.given;
  }

  /** Node's id of the thread it runs on; -1 while it has none. */
  get thread(): number {
    return this.#berth?.thread ?? -1;
  }

  /** The event changes its phase, or `false`: what is not of its life now changes nothing. */
  #lives(event: LifeEvent): boolean {
    const phase = phaseAfter(this.#phase, event);
    if (phase === undefined) return false;
    this.#phase = phase;
    return true;
  }

  // --- towards the instance -------------------------------------------------------------------------------

  /** Why an ask that it put off has no answer, unless it failed or its thread did. */
  ending(): HoldfastError {
    if (this.#phase !== 'restarting') return this.#quarantine ?? this.#stopped();
    const advice = 'it was ended with another instance of its group and is restarted; ask again';
    return refusal(this.address, 'stopped', undefined, advice);
  }

  /** Resolves when all it was sent has left its mailbox; what waits there in quarantine is not handled. */
  settled(): Promise<void> {
    return this.#quarantine === undefined ? this.mailbox.passed() : Promise.resolve();
  }

  /** Puts a question to the thread, after everything that was sent before has been handled. */
  async query(method: Question, timeoutMs: number, ...args: readonly unknown[]): Promise<unknown> {
    const late = (): Error =>
      new HoldfastError('ASK_TIMEOUT', `${this.address} did not answer ${method}() within ${timeoutMs} ms`);
    const answer = async (): Promise<unknown> => {
      await this.#untilRunning();
      await this.mailbox.passed();
      for (;;) {
        const berth = await this.place();
        try {
          return await berth.ask(method, ...args);
        } catch (error) {
          // It ended in between; the next incarnation may answer.
          if (berth === this.#berth)
            throw hasEnded(error) ? this.#stopped() : this.#effects.scrubber.scrub(error);
        }
      }
    };
    return within(this.#effects.clock, timeoutMs, answer(), late);
  }

  /** The asks that it has put off and that somebody waits for in this process, as its incarnation knows them. */
  async putOff(timeoutMs: number): Promise<readonly CarriedAsk[]> {
    const asks = (await this.query('putOff', timeoutMs)) as readonly CarriedAsk[];
    const deferred = this.#berth?.deferred;
    return asks.filter(({ tag }) => deferred?.has(tag) === true);
  }

  /** @throws {HoldfastError} `SECRET_IN_SNAPSHOT` */
  assertWithoutSecrets(state: PersistedState): void {
    const path = this.#effects.scrubber.find(state);
    if (path !== undefined) throw secretInSnapshot(this.address, path);
  }

  #untilRunning(): Promise<void> {
    if (this.#phase === 'running') return Promise.resolve();
    if (this.over) return Promise.reject(this.#quarantine ?? this.#stopped());
    return this.#gate.next();
  }

  watch(watched: boolean): void {
    this.#watched = watched;
    if (this.#berth?.begun === true) this.#berth.watch(watched);
  }

  /** Ends it: in its thread, then here, after `turn`. Idempotent; resolves when nothing of it is left. */
  stop(reason: 'stopped' | 'shutdown' = 'stopped', turn?: Promise<unknown>): Promise<void> {
    return (this.#stopping ??= this.#stop(reason, turn));
  }

  /** Begins anew with a quarantined instance; resolves when it runs. */
  async resume(): Promise<void> {
    const before = this.#quarantine;
    if (before !== undefined) this.#effects.resume(this);
    // In a group it may have to wait for the others, and stays quarantined until then.
    if (before !== undefined && this.#quarantine === before) await this.#gate.next();
    else await this.#untilRunning();
  }

  /** Ends this incarnation in its thread, with another of its group; the supervisor says when the next one begins. */
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
      this.inbox.refuseMoved(undefined);
    }
    if (begun && (still || quarantined)) this.watchers.ended(this.#ending('stopped'));
    if (quarantined) this.watchers.finished();
    if (this.#incarnation === incarnation) this.#effects.down(this);
  }

  /** Its twin was stopped by its parent, and needs not be told. */
  twinStopped(): Promise<void> {
    this.twin.cut();
    return this.stop();
  }

  async #stop(reason: 'stopped' | 'shutdown', turn?: Promise<unknown>): Promise<void> {
    if (!this.#lives('stop')) return;
    if (this.#berth?.begun === true) await this.#leave(this.#berth, reason);
    if (turn !== undefined) await turn;
    this.#finish({ kind: 'stopped', reason });
  }

  async #leave(berth: Berth, reason: 'stopped' | 'shutdown' = 'stopped'): Promise<void> {
    const { clock } = this.#effects;
    try {
      const left = berth.leave();
      // Who shuts everything down ends the threads as well that do not answer.
      await (reason === 'shutdown' ? left : within(clock, STOP_MS, left, () => this.#stopped()));
    } catch {
      // The thread is gone or does not answer; either way this instance is no longer spoken to.
      this.#cut = true;
    }
  }

  /** It has ended, and its thread did not stop it: what it had begun there was not cleaned up. */
  get cut(): boolean {
    return this.#cut;
  }

  // --- from its thread ------------------------------------------------------------------------------------

  activation({ slot }: Pick<Berth, 'slot'>): ActivateRequest {
    this.#watchedAtStart = this.#watched;
    return this.continuation.request(slot, this.#watched);
  }

  /** Finds out where it goes on, when that is to be asked of the store. */
  prepared(): Promise<void> | undefined {
    return this.continuation.prepared()?.then((before) => {
      if (before !== undefined) this.#first = this.#incarnation = before + 1;
    });
  }

  /** It has left its thread in order to go on, as the same incarnation, on another one. */
  departed(state: PersistedState, asks: readonly CarriedAsk[] = []): void {
    // One that is being ended with its group goes nowhere.
    if (!this.#lives('depart')) return this.continuation.stranded(asks);
    this.#due = true;
    const from = this.#berth?.n ?? 0;
    this.#unseat();
    this.continuation.moved(state, asks);
    this.#effects.moving(this, from);
  }

  /** The pool has given it a seat; `false` when it has one already or needs none any more. */
  placed(berth: Berth): boolean {
    if (!this.#due || this.#berth !== undefined || this.over) return false;
    this.#due = false;
    this.#berth = berth;
    return true;
  }

  /** Whether it is to start there. */
  awaits(berth: Berth): boolean {
    return this.#berth === berth && !this.over;
  }

  /** The pool has no place for it. */
  refused(error: HoldfastError, reason: StopReason): void {
    if (!this.#due || this.over) return;
    this.#due = false;
    this.unplaced(error, reason);
  }

  /** No thread could be started for it. One that only moves has lost nothing, and waits until one can. */
  unplaced(error: unknown, reason: StopReason = 'error'): void {
    if (this.#phase !== 'moving') return this.startFailed(error, reason);
    this.#unseat();
    this.#due = true;
    this.#effects.placeLater(this);
  }

  /** Its seat, as soon as it runs; rejects when it has ended. */
  async place(): Promise<Berth> {
    for (;;) {
      await this.#untilRunning();
      // It may have ended since, or moved.
      if (this.#berth !== undefined && this.#phase === 'running') return this.#berth;
    }
  }

  /** Whether its seat is still that one. */
  sits(seat: PeerSeat): boolean {
    return this.#berth === seat && this.#phase === 'running';
  }

  /** Envelopes handled since it was spawned, over all incarnations and senders. */
  get handled(): number {
    return (
      this.mailbox.handled + this.handledFromPeers + (this.#berth ? this.#effects.fromPeers(this.#berth) : 0)
    );
  }

  /** Whether it is there that it runs now; a late start leaves it behind on a seat that it no longer has. */
  holds(berth: Berth): boolean {
    return this.#berth === berth;
  }

  running(): void {
    if (this.#berth === undefined || !this.#lives('run')) return;
    this.continuation.begun(this.#berth);
    this.#gate.open();
    this.#effects.running(this);
    // It was told with the activation; a watch may have been opened or closed since.
    if (this.#watched !== this.#watchedAtStart) this.watch(this.#watched);
  }

  startFailed(error: unknown, reason: StopReason = 'error'): void {
    this.#unseat();
    if (this.#phase === 'starting') {
      const shown = reason === 'shutdown' ? this.#stoppedBy(reason) : this.#effects.scrubber.scrub(error);
      this.#end = { kind: 'failed', error: shown };
      this.watchers.ended(this.#ending(reason));
      this.finishEnded();
    } else {
      this.failed(error, reason);
    }
  }

  /** Another runtime has gone on with it: here it ends, and is not started again. */
  async fenced(error: HoldfastError): Promise<void> {
    const told = this.#phase === 'restarting' || this.#phase === 'quarantined';
    if (!this.#lives('fence')) return;
    if (this.#berth?.begun === true) await this.#leave(this.#berth);
    if (!told) this.watchers.ended(this.#ending('error'));
    this.#finish({ kind: 'failed', error });
  }

  done(report: DoneReport): void {
    this.#end = { kind: 'done', report };
    this.continuation.forget();
    this.#endedWith('done', 'done');
  }

  /** `snapshot` is the last one it had, where that is known. */
  failed(error: unknown, reason: StopReason = 'error', snapshot?: WireSnapshot): void {
    this.#end = { kind: 'failed', error: this.#effects.scrubber.scrub(error), snapshot };
    this.#endedWith('failed', reason);
  }

  #endedWith(kind: 'done' | 'failed', reason: StopReason): void {
    this.#unseat();
    if (!this.#lives('end')) return;
    if (reason !== 'stopped') this.#failures.add(this.address, reason, this.#effects.clock.date());
    this.inbox.refuseMoved(this.#end?.kind === 'failed' ? this.#end.error : undefined);
    this.watchers.ended(this.#ending(reason));
    this.#effects.ended(this, kind, {
      reason,
      error: this.#end?.kind === 'failed' ? this.#end.error : undefined,
    });
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

  /** The next incarnation begins; what waits in the mailbox is for it. */
  restart(): void {
    const isQuarantined = this.#phase === 'quarantined';
    if (!this.#lives('restart')) return;
    this.#incarnation += 1;
    this.#due = true;
    if (!isQuarantined) return;
    this.#quarantine = undefined;
    this.#failures.clear();
    this.watchers.resumed();
    this.twin.revive();
  }

  /** It stays ended, as it ended. */
  finishEnded(): void {
    this.#finish(this.#end ?? { kind: 'failed', error: undefined });
  }

  /**
   * It failed too often, or `because` of its group did: it keeps its address and its mailbox, and takes nothing more
   * until it is resumed.
   */
  giveUp(because?: Instance): QuarantineError | undefined {
    if (!this.#lives('give-up')) return undefined;
    const { address, supervision } = this;
    const own = this.#end?.kind === 'failed' ? this.#end.error : undefined;
    const cause = because === undefined ? own : because.quarantine?.cause;
    const suspect =
      because === undefined
        ? suspectOf(this.#effects.deadLetters.list(), address, this.#incarnation)
        : undefined;
    const evidence = this.#failures.evidence(cause, supervision, suspect, because?.address);
    const error = new QuarantineError(address, evidence, cause);
    const again = this.#quarantine !== undefined;
    this.#quarantine = error;
    if (because === undefined) this.watchers.finished();
    else void this.#letGo();
    this.#gate.shut(error);
    this.mailbox.release();
    this.#effects.quarantined(this);
    // One that is quarantined again before it began anew has ended already.
    if (!again) this.twin.end({ type: 'holdfast.failed', error });
    return error;
  }

  #finish(end: InstanceEnd): void {
    const last = this.twin.last(end);
    if (!this.#lives('finish')) return;
    const stopped = end.kind === 'stopped' ? end.reason : undefined;
    // At a shutdown it only pauses, and who never ran has nothing to say about what is stored.
    if (stopped === 'stopped' || (stopped === undefined && this.#gate.opened)) this.continuation.forget();
    // With the quarantine its twin has ended already.
    const isTold = this.#quarantine === undefined;
    this.#quarantine = undefined;
    this.watchers.finished(stopped && this.#ending(stopped));
    // All places are given back at once when everything ends.
    this.#unseat(stopped !== 'shutdown');
    if (end.kind === 'failed') this.#gate.shut(end.error);
    else if (this.#gate.awaited) this.#gate.shut(this.#stoppedBy(stopped));
    this.inbox.close();
    this.#effects.gone(this);
    if (isTold) this.twin.end(last);
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

function hasEnded(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'AGENT_STOPPED';
}
