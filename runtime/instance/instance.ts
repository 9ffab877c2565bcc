import type { AnyActorRef, AnyEventObject } from 'xstate';
import type { TwinState } from '../../actors/twin.ts';
import { type AskToCarry, CarriedAsks } from './carried-asks.ts';
import { within } from '../base/clock.ts';
import type { IncarnationEnd, StopReason } from '../base/endings.ts';
import type { ResolvedAgent } from '../config/resolve.ts';
import { HoldfastError } from '../base/errors.ts';
import { Inbox } from './inbox.ts';
import type { InstanceEffects, InstanceFacts, InstancePhase } from './instance-effects.ts';
import type { Mailbox } from '../mailbox/mailbox.ts';
import { stateFrom } from './mirrored-state.ts';
import { QuarantineError, suspectOf, type FailureLog } from './quarantine.ts';
import { refusal } from '../dead-letters/refusal.ts';
import { withoutShared } from '../wire/shared-memory.ts';
import type { Berth, Question } from './berth.ts';
import type { PeerInstance, PeerSeat } from './peer.ts';
import { secretInSnapshot, type Keeper } from '../store/keeper.ts';
import { Watchers } from './watchers.ts';
import type { ActivateRequest, CarriedAsk, DoneReport } from '../wire/protocol.ts';
import type { WireSnapshot } from '../wire/snapshot.ts';
import type { PersistedState } from '../xstate/persisted-timer.ts';
import { emitFrom, sendToParent } from '../xstate/xstate5.ts';

/** How long a stopped instance gets in its thread. */
const STOP_MS = 5000;

export interface InstanceOptions {
  readonly agent: ResolvedAgent;
  readonly id: string;
  readonly address: string;
  readonly input: unknown;
  /** What `persist()` gave, to begin with. */
  readonly snapshot: PersistedState | undefined;
  /** What it put off in another process, and answers here. */
  readonly asks?: readonly AskToCarry[] | undefined;
  /** Keeps its state, when restarts are to go on from there. */
  readonly keeper?: Keeper | undefined;
  /** Whether what it is sent may carry memory that threads share: the config of its pool says. */
  readonly sharedMemory: boolean;
  /** What happens after it ended without having been told to. */
  readonly supervision: ResolvedAgent['supervision'];
  /** What is remembered of its failures; those of a group share it. */
  readonly failures: FailureLog;
  /** Whether a machine of the user is its parent, or only its pool. */
  readonly parent: 'machine' | 'pool';
  readonly effects: InstanceEffects;
}

type End =
  | { readonly kind: 'done'; readonly report: DoneReport }
  | { readonly kind: 'failed'; readonly error: unknown; readonly snapshot?: WireSnapshot | undefined };

/** The way back to a twin: its own queue, past the interception of user events. */
export interface TwinLine {
  readonly self: AnyActorRef;
  readonly queue: (event: AnyEventObject) => void;
  /** Gives the twin a state that no observer is told of. */
  readonly advance: (state: Partial<TwinState>) => void;
  /** Has the twin live again that had ended with the quarantine. */
  readonly revive: () => void;
}

/** One instance as the host knows it: its mailbox, its place on a thread, and its twin. */
export class Instance implements PeerInstance, InstanceFacts {
  readonly agent: ResolvedAgent;
  readonly id: string;
  readonly address: string;
  readonly supervision: ResolvedAgent['supervision'];
  readonly sharedMemory: boolean;
  readonly inbox: Inbox;
  /** Settles when it first runs in its thread. */
  readonly started: Promise<void>;
  /** What other agents sent it over links that have ended. */
  handledFromPeers = 0;
  /** Those who want to know when it ends. */
  readonly watchers: Watchers;
  readonly #options: InstanceOptions;
  readonly #effects: InstanceEffects;
  readonly #failures: FailureLog;
  #settleStarted!: { resolve(): void; reject(error: unknown): void };
  #twin: TwinLine | undefined;
  #phase: InstancePhase = 'starting';
  #berth: Berth | undefined;
  #incarnation = 1;
  #first = 1;
  #ran = false;
  #watched = false;
  #watchedAtStart = false;
  /** The pool is asked for a place. */
  #due = true;
  #end: End | undefined;
  #quarantine: QuarantineError | undefined;
  #stopping: Promise<void> | undefined;
  #cut = false;
  #continuation: PersistedState | undefined;
  #carried: CarriedAsks | undefined;
  #awaiting: { resolve(): void; reject(error: unknown): void }[] = [];

  constructor(options: InstanceOptions) {
    this.agent = options.agent;
    this.id = options.id;
    this.address = options.address;
    this.supervision = options.supervision;
    this.sharedMemory = options.sharedMemory;
    this.#options = options;
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
    if (options.asks !== undefined) this.#carried = this.#carry(options.asks);
    this.watchers = new Watchers((error) => this.#effects.watcherThrew(this, error));
    this.started = new Promise((resolve, reject) => {
      this.#settleStarted = { resolve, reject };
    });
    // Who does not wait for the start hears of a failure through the twin.
    this.started.catch(() => {});
  }

  get mailbox(): Mailbox {
    return this.inbox.mailbox;
  }

  get phase(): InstancePhase {
    return this.#phase;
  }

  /** It has ended, is about to, or is quarantined: it takes nothing. */
  get over(): boolean {
    return this.#phase === 'ended' || this.#phase === 'stopping' || this.#phase === 'quarantined';
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
    return this.#incarnation > 1 || this.#options.snapshot !== undefined;
  }

  /** Whether a restart goes on from the last state that it told. */
  get keepsState(): boolean {
    return this.#options.keeper?.keeps === true;
  }

  /** Node's id of the thread it runs on; -1 while it has none. */
  get thread(): number {
    return this.#berth?.thread ?? -1;
  }

  bind(twin: TwinLine): void {
    this.#twin = twin;
  }

  // --- towards the instance -------------------------------------------------------------------------------

  /** Why an ask that it put off has no answer, unless it failed or its thread did. */
  ending(): HoldfastError {
    if (this.#phase !== 'restarting') return this.#quarantine ?? this.#stopped();
    const advice = 'it was ended with another of its group and begins anew; ask again';
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
    return this.#next();
  }

  /** Settles when it runs next, or will not. */
  #next(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#awaiting.push({ resolve, reject });
    });
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
    if (before !== undefined && this.#quarantine === before) await this.#next();
    else await this.#untilRunning();
  }

  /** Ends this incarnation in its thread, with another of its group; the supervisor says when the next one begins. */
  pause(): void {
    if (this.over) return;
    this.#phase = 'restarting';
    void this.#letGo();
  }

  async #letGo(): Promise<void> {
    const [berth, incarnation] = [this.#berth, this.#incarnation];
    this.#due = false;
    this.#continuation = undefined;
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
    this.#twin = undefined;
    return this.stop();
  }

  async #stop(reason: 'stopped' | 'shutdown', turn?: Promise<unknown>): Promise<void> {
    if (this.#phase === 'ended') return;
    this.#phase = 'stopping';
    if (this.#berth?.begun === true) await this.#leave(this.#berth, reason);
    if (turn !== undefined) await turn;
    this.#finish({ type: 'xstate.stop' }, reason);
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

  activation({ slot }: Berth): ActivateRequest {
    const { agent, id, address } = this;
    const { keeper } = this.#options;
    const asks = this.#carried?.all;
    const from = this.#continuation ?? keeper?.last ?? this.#options.snapshot;
    const pool = { threadId: agent.threadId, sharedMemory: this.sharedMemory };
    const input = withoutShared(this.#options.input, pool, 'MESSAGE_UNCLONABLE', `the input of ${address}`);
    withoutShared(from, pool, 'MESSAGE_UNCLONABLE', `the snapshot of ${address}`);
    return {
      slot,
      address,
      id,
      incarnation: this.#incarnation,
      moduleUrl: agent.moduleUrl,
      exportName: agent.exportName,
      input,
      ...from,
      // A move is none of the agent's business: its timers come when they were to come.
      timersPolicy: this.#continuation === undefined ? agent.timers : 'deadline',
      tellsState: keeper !== undefined,
      mirror: agent.mirror,
      watched: (this.#watchedAtStart = this.#watched),
      maxIterations: agent.maxIterations,
      ...(asks !== undefined && asks.length > 0 && { asks }),
    };
  }

  /** Finds out where it goes on, when that is to be asked of the store. */
  prepared(): Promise<void> | undefined {
    const { keeper, snapshot } = this.#options;
    if (snapshot !== undefined) keeper?.beginWith(snapshot);
    return keeper?.stored === true ? this.#prepare(keeper) : undefined;
  }

  async #prepare(keeper: Keeper): Promise<void> {
    const before = await keeper.load();
    if (before !== undefined) this.#first = this.#incarnation = before + 1;
    // What it was spawned with goes before what is stored.
    const { snapshot } = this.#options;
    if (snapshot !== undefined) keeper.beginWith(snapshot);
  }

  /** It has left its thread in order to go on, as the same incarnation, on another one. */
  departed(state: PersistedState, asks: readonly CarriedAsk[] = []): void {
    // One that is being ended with its group goes nowhere.
    if (this.#phase !== 'running') return this.#carry([]).add(asks).end();
    // A restart after that begins as it always does.
    this.#continuation = state;
    this.#phase = 'moving';
    this.#due = true;
    const from = this.#berth?.n ?? 0;
    this.#unseat();
    if (asks.length > 0) this.#carried = (this.#carried ?? this.#carry([])).add(asks);
    this.#effects.moving(this, from);
  }

  #carry(asks: readonly AskToCarry[]): CarriedAsks {
    return new CarriedAsks(asks, this.#effects.waiting, {
      address: this.address,
      threadId: this.agent.threadId,
    });
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
    this.#ran = true;
    this.#phase = 'running';
    this.#continuation = undefined;
    if (this.#berth !== undefined) this.#carried?.seated(this.#berth, this.agent.threadId);
    this.#settleStarted.resolve();
    for (const waiter of this.#awaiting.splice(0)) waiter.resolve();
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

  /** Its state, as far as its thread has told it. */
  keep(state: PersistedState): void {
    this.#options.keeper?.keep(state, this.#incarnation);
  }

  cannotKeep(why: string): void {
    this.#options.keeper?.cannotKeep(why);
  }

  /** Another runtime has gone on with it: here it ends, and is not started again. */
  async fenced(error: HoldfastError): Promise<void> {
    if (this.#phase === 'ended' || this.#phase === 'stopping') return;
    const told = this.#phase === 'restarting' || this.#phase === 'quarantined';
    this.#phase = 'stopping';
    if (this.#berth?.begun === true) await this.#leave(this.#berth);
    if (!told) this.watchers.ended(this.#ending('error'));
    this.#finish({ type: 'holdfast.failed', error, state: {} });
  }

  /** Without a state: the one that came ahead with an event. */
  mirrored(wire: WireSnapshot | undefined): void {
    this.#twin?.queue({ type: 'holdfast.mirror', state: wire === undefined ? {} : this.#stateFrom(wire) });
  }

  /** An event follows; who reads the state then finds this one, and observers are told of it afterwards. */
  mirroredAhead(wire: WireSnapshot): void {
    this.#twin?.advance(this.#stateFrom(wire));
  }

  /** What it is in is its own business; an error is there to be shown. */
  #stateFrom(wire: WireSnapshot): Partial<TwinState> {
    const state = stateFrom(wire);
    if (state.error === undefined) return state;
    return { ...state, error: this.#effects.scrubber.scrub(state.error) };
  }

  emitted(event: AnyEventObject): void {
    if (this.#twin !== undefined) emitFrom(this.#twin.self, event);
  }

  /** What the agent sends to its parent; a spawned instance has none that could take it. */
  sentToParent(event: AnyEventObject): void {
    if (this.#twin === undefined) return;
    const sent = this.#options.parent === 'machine' && sendToParent(this.#twin.self, event);
    if (!sent) this.refusedToParent(event, 'unknown-address');
  }

  /** What it sent to its parent came to nothing. */
  refusedToParent(event: AnyEventObject, reason: 'unknown-address' | 'reserved'): void {
    const { address, incarnation } = this;
    this.#effects.deadLetters.add({ address, reason, event, incarnation, toParent: true });
  }

  /** So many events that it had told died with its thread before the host heard of them. */
  lost(count: number): void {
    if (count <= 0) return;
    const { address, incarnation } = this;
    const letter = { address, reason: 'crashed', event: undefined, incarnation, lost: count } as const;
    this.#effects.deadLetters.add({ ...letter, toHost: true });
  }

  done(report: DoneReport): void {
    this.#end = { kind: 'done', report };
    // Whatever follows begins anew.
    this.#options.keeper?.forget(this.#incarnation);
    this.#endedWith('done', 'done');
  }

  /** `snapshot` is the last one it had, where that is known. */
  failed(error: unknown, reason: StopReason = 'error', snapshot?: WireSnapshot): void {
    this.#end = { kind: 'failed', error: this.#effects.scrubber.scrub(error), snapshot };
    this.#endedWith('failed', reason);
  }

  #endedWith(kind: 'done' | 'failed', reason: StopReason): void {
    this.#unseat();
    if (this.over) return;
    if (reason !== 'stopped') this.#failures.add(this.address, reason, this.#effects.clock.date());
    this.inbox.refuseMoved(this.#end?.kind === 'failed' ? this.#end.error : undefined);
    this.#phase = 'restarting';
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
    this.#carried?.end();
    const berth = this.#berth;
    this.#berth = undefined;
    berth?.end(release);
  }

  // --- what the supervisor decided ------------------------------------------------------------------------

  /** The next incarnation begins; what waits in the mailbox is for it. */
  restart(): void {
    this.#incarnation += 1;
    this.#due = true;
    if (this.#phase !== 'quarantined') return;
    this.#phase = 'restarting';
    this.#quarantine = undefined;
    this.#failures.clear();
    this.watchers.resumed();
    this.#twin?.revive();
  }

  /** It stays ended, as it ended. */
  finishEnded(): void {
    const end = this.#end;
    if (end?.kind === 'done') {
      const { output, snapshot } = end.report;
      this.#finish({ type: 'holdfast.done', output, state: this.#stateFrom(snapshot) });
    } else {
      const state = end?.snapshot === undefined ? {} : this.#stateFrom(end.snapshot);
      this.#finish({ type: 'holdfast.failed', error: end?.error, state });
    }
  }

  /**
   * It failed too often, or `because` of its group did: it keeps its address and its mailbox, and takes nothing more
   * until it is resumed.
   */
  giveUp(because?: Instance): QuarantineError | undefined {
    if (this.#phase === 'ended' || this.#phase === 'stopping') return undefined;
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
    this.#phase = 'quarantined';
    this.#quarantine = error;
    if (because === undefined) this.watchers.finished();
    else void this.#letGo();
    this.#settle(error);
    this.mailbox.release();
    this.#effects.quarantined(this);
    // One that is quarantined again before it began anew has ended already.
    if (!again) this.#twin?.queue({ type: 'holdfast.failed', error });
    return error;
  }

  #finish(last: AnyEventObject, stopped?: StopReason): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    // At a shutdown it only pauses, and who never ran has nothing to say about what is stored.
    if (stopped === 'stopped' || (stopped === undefined && this.#ran)) {
      this.#options.keeper?.forget(this.#incarnation);
    }
    // With the quarantine its twin has ended already.
    const twin = this.#quarantine === undefined ? this.#twin : undefined;
    this.#quarantine = undefined;
    this.watchers.finished(stopped && this.#ending(stopped));
    // All places are given back at once when everything ends.
    this.#unseat(stopped !== 'shutdown');
    const isAwaited = !this.#ran || this.#awaiting.length > 0;
    if (last.type === 'holdfast.failed') this.#settle(last['error']);
    else if (isAwaited) this.#settle(this.#stoppedBy(stopped));
    this.inbox.close();
    this.#effects.gone(this);
    twin?.queue(last);
  }

  /** Nobody waits any more for it to run. */
  #settle(error: unknown): void {
    this.#settleStarted.reject(error);
    for (const waiter of this.#awaiting.splice(0)) waiter.reject(error);
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
