import type { AnyActorLogic, AnyActorRef, AnyEventObject, Snapshot, Subscription } from 'xstate';
import { HoldfastError } from '../base/errors.ts';
import { placesOf, type EventIssue } from '../base/event-issue.ts';
import { encodeError } from '../wire/errors.ts';
import { findErrors } from '../wire/errors-within.ts';
import { REPORT, type ActivateRequest, type CarriedAsk, type ErrorReport } from '../wire/protocol.ts';
import type { Naming } from '../wire/inspection.ts';
import type { InspectionFeed } from '../wire/inspection-feed.ts';
import type { Progress } from '../wire/progress.ts';
import { encodeSnapshot, type WireSnapshot } from '../wire/snapshot.ts';
import type { PersistedState } from '../xstate/persisted-timer.ts';
import type { Inspected } from '../xstate/inspected.ts';
import { createHostedActor, snapshotOf, type HostedActor, type HostedOptions } from '../xstate/xstate5.ts';
import type { ActorClock } from '../xstate/actor-clock.ts';
import { agentRef } from './peer-ref.ts';
import { overStream } from './reply-stream.ts';
import { checked, type Checked } from './checked.ts';
import { admit, fields, type Contract } from './contract.ts';
import { heldAcks, type AckSink } from './held-acks.ts';
import { createNaming } from './inspection-naming.ts';
import type { CountedLink } from './counted-link.ts';
import { incompatible, versionOf, type ChangedVersion } from './migrations.ts';
import { restoredParts } from './restored.ts';
import { Invocations } from './invocations.ts';
import type { Outlet } from './outlet.ts';
import type { Reports } from './reports.ts';
import type { Asker, PutOff } from './put-off.ts';
import { StateReport, type StateReportOptions } from './state-report.ts';
import { runningTraceId } from './trace-context.ts';
import { TurnReport } from './turn-report.ts';
import {
  runningKey,
  threadState,
  type HostBridge,
  type LogLevel,
  type OpenAsk,
  type Origin,
  type Self,
} from './thread-state.ts';

export interface HostedInstanceOptions {
  readonly request: ActivateRequest;
  readonly logic: AnyActorLogic;
  /** Present only when its state is of another version. */
  readonly changed?: ChangedVersion | undefined;
  /** The schemas of its events. Default: any event fits. */
  readonly contract?: Contract | undefined;
  readonly bridge: HostBridge;
  readonly reports: Reports;
  /** What the instance lets out with its state, when it is durable. */
  readonly outlet?: Outlet | undefined;
  readonly clock: ActorClock;
  /** Milliseconds of the host's clock. Default: how long events wait is not known. */
  readonly now?: () => number;
  /** Shows what the actors of the instance do, when the request says that it is inspected. */
  readonly inspection?: Pick<InspectionFeed, 'observe' | 'log'> | undefined;
  /** The block in which the thread notes what the slot has handled, and whether an envelope of it is in hand. */
  readonly progress?: Pick<Progress, 'handled' | 'inHand' | 'tell'>;
  readonly owner: InstanceOwner;
}

/** What an instance tells its thread. */
export interface InstanceOwner {
  /** The instance has steps to do, see {@link HostedInstance.steps}. */
  wake(): void;
  /** It has told a large state. */
  large(): void;
  /** The instance has ended by itself. */
  ended(): void;
  /** Work that the instance had begun still acts after its end; this act was refused. */
  late(what: string): void;
}

type AnySnapshot = Snapshot<unknown> & {
  readonly value?: unknown;
  readonly context?: unknown;
  readonly children?: Readonly<Record<string, AnyActorRef | undefined>>;
};

/** An instance in its thread: the agent's actor, and what the host is told about it. */
export class HostedInstance {
  /** What the actor of an instance is made with, and whom it tells: instead of a dozen functions for each instance. */
  static readonly #Hosting = class implements HostedOptions {
    readonly #of: HostedInstance;

    constructor(of: HostedInstance) {
      this.#of = of;
    }

    get #request(): ActivateRequest {
      return this.#of.#options.request;
    }

    get id(): string {
      return this.#request.id;
    }

    get sessionId(): string {
      const { address, incarnation } = this.#request;
      return incarnation === 1 ? address : `${address}#${incarnation}`;
    }

    get input(): unknown {
      return this.#request.input;
    }

    get snapshot(): unknown {
      return this.#request.snapshot;
    }

    get timers(): HostedOptions['timers'] {
      return this.#request.timers;
    }

    get timersPolicy(): HostedOptions['timersPolicy'] {
      return this.#request.timersPolicy;
    }

    get invoked(): HostedOptions['invoked'] {
      return this.#request.invoked;
    }

    get isTold(): boolean {
      const { changed, logic, request } = this.#of.#options;
      return (
        changed?.keepsRecord === true || (request.recorded === true && request.version === versionOf(logic))
      );
    }

    get agentAt(): typeof agentRef {
      return agentRef;
    }

    get overStream(): typeof overStream {
      return overStream;
    }

    get clock(): ActorClock {
      return this.#of.#options.clock;
    }

    get maxIterations(): number {
      return this.#request.maxIterations;
    }

    get inspected(): HostedOptions['inspected'] {
      const naming = this.#of.#naming;
      return naming && ((told) => this.#of.#options.inspection?.observe(this.#of.timed(told), naming));
    }

    onParentEvent(event: AnyEventObject): void {
      this.#of.#tellParent(event);
    }

    around(run: () => void): void {
      const of = this.#of;
      of.#stateReport?.touched();
      if (of.#state.current === of.#options.bridge) run();
      else of.#asCurrent(run);
    }

    onPending(): void {
      this.#of.#options.owner.wake();
    }

    onFailedEnd(error: unknown): void {
      this.#of.#failedEnd(error);
    }

    within<T>(child: AnyActorRef, run: () => T): T {
      return this.#of.#at.within(child, run);
    }

    onEnded(child: AnyActorRef): void {
      this.#of.#invocations?.ended(child);
    }
  };

  readonly slot: number;
  /** When the events were sent whose turns come now, in milliseconds of the host's clock, if that is known. */
  sentAt: number | undefined;
  /** The schemas of its events; undefined when any event fits. */
  readonly contract: Contract | undefined;
  #deferred: Map<number, PutOff> | undefined;
  readonly #options: HostedInstanceOptions;
  readonly #actor: HostedActor;
  readonly #state = threadState();
  readonly #stateReport: StateReport | TurnReport | undefined;
  /** Present only when the instance is durable. */
  readonly #turnReport: TurnReport | undefined;
  /** Present only when the instance is inspected. */
  readonly #naming: Naming | undefined;
  /** When the turn began that is under way, of an instance that is inspected. */
  #turnBegan: number | undefined;
  /** Present once a promise, callback or observable has begun. */
  #invocations: Invocations | undefined;
  /** Present once code of its turns is to be known by it. */
  #origin: Origin | undefined;
  /** Incarnations that this one continues, whose tokens are good here as well; absent when it answers for none. */
  #answersFor: Set<number> | undefined;
  #watched: boolean;
  /** Present while it is watched. */
  #subscription: Subscription | undefined;
  #dirty = false;
  /** The snapshot that the host has, while the instance is watched. */
  #known: AnySnapshot | undefined;
  /** The known snapshot came with an event, and observers in the host have not been told of it. */
  #ahead = false;
  #ended = false;
  #over = false;
  #starting = true;
  /** Until the first turn shows whether the state fits its machine. */
  #unproven: ChangedVersion | undefined;
  #failure: unknown;

  constructor(options: HostedInstanceOptions) {
    const { request, logic, clock, bridge } = options;
    this.#options = options;
    this.#unproven = options.changed;
    this.slot = request.slot;
    this.contract = options.contract;
    this.#watched = request.watched;
    this.#turnReport = this.#openTurnReport();
    this.#stateReport = this.#turnReport ?? this.#openStateReport();
    this.#naming = request.inspected === true ? createNaming(request, clock) : undefined;
    const actor = this.#asCurrent(() => createHostedActor(logic, new HostedInstance.#Hosting(this)));
    this.#actor = actor;
    if (request.starts !== undefined || request.steps !== undefined) this.#at.restore(actor.ref, request);
    this.#checkVersion(logic);
    this.#checkRestored(logic);
    threadState().bridges.set(actor.ref.system, bridge);
    threadState().running.set(runningKey(bridge.self), bridge);
    actor.ref.on('*', (event) => this.#emitted(event));
    this.#observe();
  }

  /** Starts the actor; throws the error of a failed start. */
  start(): void {
    this.#asCurrent(() => this.#actor.start());
    this.#starting = false;
    this.#stateReport?.touched();
    if (this.#failure === undefined) return;
    // A failed start frees the seat in the host, so what was emitted before, and the state, would find nobody.
    const { error: _, ...state } = this.snapshot();
    this.#options.reports.add(REPORT.ahead, this.slot, state);
    this.#options.reports.flush();
    throw this.#failure as Error;
  }

  /**
   * Runs several turns, at the lane of the instance: what they begin is known as the work of its actor, when that works by
   * itself, and as nobody else's, whoever's work has caused them. Entered once for all of them, since that costs more than
   * many a turn.
   */
  inOwnWork(turns: (max: number) => number, max: number): number {
    const { origin } = this.#state;
    return origin === undefined ? turns(max) : origin.run(this.#work, turns, max);
  }

  /** Runs one turn. The event may carry an ask, which is open during the turn, and may be from another instance. */
  turn(event: AnyEventObject, ask: OpenAsk | undefined, from?: string): void {
    const state = this.#state;
    state.current = this.#options.bridge;
    state.event = event;
    state.ask = ask;
    state.sender = from;
    if (this.#naming !== undefined) this.#inspectTurn(event, from, this.#naming);
    if (state.isBound) state.origin?.run(this.#work, deliver, this.#actor, event);
    else this.#actor.deliver(event);
    this.#stateReport?.touched();
    this.#unproven = undefined;
    state.current = undefined;
    state.event = undefined;
    state.ask = undefined;
    state.sender = undefined;
  }

  /** The event as its schema gives it, or what does not fit. Only with a {@link contract}. */
  admit(event: AnyEventObject): Checked {
    return this.#asCurrent(() => admit(this.contract as Contract, event));
  }

  /** Takes what the instance says to another thread: undefined when nothing of that waits. */
  askerOf({ acks }: { readonly acks: AckSink }): { readonly acks: AckSink } | undefined {
    const { outlet } = this.#options;
    return outlet && { acks: heldAcks(acks, (run) => outlet.holdAck(run)) };
  }

  /** Another agent sends by that way from now on. */
  joined(link: CountedLink): void {
    this.#turnReport?.joined(link);
  }

  /** Nothing more comes by that way. */
  dismissed(link: CountedLink): void {
    this.#turnReport?.dismissed(link);
  }

  /** Whether something of it waits until it is committed. */
  get holds(): boolean {
    return this.#options.outlet?.holds === true;
  }

  /** Tells the asker the answer of an ask, as the schema of the reply gives it, or that the reply does not fit. */
  answer(ask: OpenAsk, acks: Asker['acks']): void {
    const { type, value } = ask;
    // What a turn that throws has let out is not told.
    if (this.#failure !== undefined && this.#options.outlet !== undefined)
      return this.fail(ask, acks, this.#failure);
    const schema = this.contract?.replies?.get(type);
    if (schema === undefined) return this.#answered(ask, acks, value);
    const found = this.#asCurrent(() => checked(schema, value));
    if ('value' in found) this.#answered(ask, acks, found.value);
    else this.fail(ask, acks, replyDoesNotFit(this.address, type, found.issues));
  }

  #answered({ tag, kept }: OpenAsk, acks: Asker['acks'], value: unknown): void {
    if (kept) this.#turnReport?.answered(tag, value);
    acks.answered(tag, value);
  }

  /** Tells the asker the error of an ask. */
  fail({ tag, kept }: OpenAsk, acks: Asker['acks'], error: unknown): void {
    if (kept) this.#turnReport?.failed(tag, error);
    acks.failed(tag, error);
  }

  /**
   * Tells the host of an ask that was put off, and whose answer is kept, by what its token names. One that is answered by a
   * stream has no token: nobody but this incarnation can answer it.
   */
  putOffKept({ id, tag, kept, stream }: OpenAsk): void {
    if (kept) this.#turnReport?.putOff(tag, stream === undefined ? id : 0);
  }

  #inspectTurn(event: AnyEventObject, sourceId: string | undefined, naming: Naming): void {
    const actorRef = this.#actor.ref;
    const { inspection, now } = this.#options;
    const waitedMs =
      this.sentAt === undefined || now === undefined ? undefined : Math.max(0, rounded(now() - this.sentAt));
    const traceId = runningTraceId();
    inspection?.observe({ type: '@xstate.event', actorRef, event, sourceId, waitedMs, traceId }, naming);
    this.#turnBegan = performance.now();
  }

  /** The first state after the beginning of a turn is the one that the turn led to. */
  timed(told: Inspected): Inspected {
    const began = this.#turnBegan;
    if (began === undefined || told.type !== '@xstate.snapshot' || told.actorRef !== this.#actor.ref)
      return told;
    this.#turnBegan = undefined;
    return { ...told, tookMs: rounded(performance.now() - began) };
  }

  /** The agent has written a line to the log. */
  logged(level: LogLevel, message: string, fields: object): void {
    if (this.#naming !== undefined)
      this.#options.inspection?.log({ sessionId: this.address, level, message, fields }, this.#naming);
  }

  /** Whether the actors sent each other more than fits one turn. */
  get hasSteps(): boolean {
    return this.#actor.pending > 0;
  }

  /** Goes on with those events, for at most `max` of them; returns how many it handled. */
  steps(max: number): number {
    return this.#actor.resume(max);
  }

  /** The reason why an ask of this instance has no answer. */
  unanswered(): unknown {
    if (this.#failure !== undefined) return this.#failure;
    return new HoldfastError(
      'ASK_UNANSWERED',
      `${this.#options.request.address} handled the event without a reply; answer it with reply() or replyTo() in the same turn`,
    );
  }

  get self(): Self {
    return this.#options.bridge.self;
  }

  get address(): string {
    return this.#options.request.address;
  }

  /** The reason why an ask that the instance put off will have no answer. */
  ending(): unknown {
    if (this.#failure !== undefined) return this.#failure;
    const { address } = this.#options.request;
    return new HoldfastError('AGENT_STOPPED', `${address} has ended with this ask put off; spawn it again`);
  }

  /** Asks that the instance put off, by their ids. */
  get deferred(): Map<number, PutOff> {
    return (this.#deferred ??= new Map());
  }

  /** How many asks it has put off. */
  get putOffs(): number {
    return this.#deferred?.size ?? 0;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the instance has ended, cleanup included. */
  get over(): boolean {
    return this.#over;
  }

  /** The error that the instance failed with. */
  get failure(): unknown {
    return this.#failure;
  }

  watch(watched: boolean): void {
    this.#watched = watched;
    this.#known = undefined;
    this.#observe();
    if (watched) this.#report();
  }

  /** Reports the latest state if it changed since the last time. */
  mirror(): void {
    if (this.#dirty && this.#watched) this.#report();
  }

  /** Skips the next envelope, which has expired: it is over, for later incarnations too. */
  skip(): void {
    this.#stateReport?.skip();
  }

  snapshot(): WireSnapshot {
    return encodeSnapshot(this.#actor.ref.getSnapshot() as Snapshot<unknown>);
  }

  /** Whether its state is not what its host was told last, as far as is known. */
  get changes(): boolean {
    return this.#turnReport?.changed === true || this.#state.current === this.#options.bridge;
  }

  /** The instance has something to tell its host. */
  touched(): void {
    this.#stateReport?.touched();
  }

  /** The complete state from which another incarnation continues, here or elsewhere. */
  persist(): PersistedState {
    try {
      return this.#actor.persist();
    } catch (cause) {
      throw unpersistable(this.address, cause);
    }
  }

  /** `true` when a move to another thread would repeat no work; otherwise a text that names the work. */
  movable(): true | string {
    return this.#actor.movable();
  }

  /** Whether the machine would take the event now; other logic takes every event. */
  can(event: AnyEventObject): boolean {
    if (this.contract !== undefined && 'issues' in this.admit(event)) return false;
    const snapshot = this.#actor.ref.getSnapshot() as { can?: (event: AnyEventObject) => unknown };
    return Boolean(snapshot.can?.(event) ?? true);
  }

  stop(): void {
    this.#stateReport?.mirror();
    this.#leave();
    this.#asCurrent(() => this.#actor.stop());
    this.#turnReport?.last();
    this.#over = true;
  }

  /** Cleans up whatever the instance is doing, because the thread is about to exit. */
  abandon(): void {
    this.#leave();
    this.#asCurrent(() => this.#actor.abandon());
    this.#over = true;
  }

  #checkVersion(logic: AnyActorLogic): void {
    const { request, bridge } = this.#options;
    const { version } = logic as { version?: unknown };
    if (request.version === undefined || request.version === version) return;
    bridge.warn(
      `continues from a state of version "${request.version}" with a machine of version "${String(version)}"; if the ` +
        'two do not fit, delete the record of the instance',
    );
  }

  #checkRestored(logic: AnyActorLogic): void {
    const { request, bridge } = this.#options;
    if (request.snapshot === undefined) return;
    const parts = restoredParts(this.#actor.ref, request, logic);
    if (parts.length === 0) return;
    bridge.warn(
      `continues from a state that another machine was saved in, and this does not run: ${parts.join('; ')}. Keep the names ` +
        'of logic, leave and enter the state again, or delete the record of the instance',
    );
  }

  /** Whether an envelope from the host is in hand. */
  get #inTurn(): boolean {
    return this.#options.progress?.inHand() === this.slot;
  }

  #openStateReport(): StateReport | undefined {
    return this.#options.request.tellsState === true
      ? new StateReport({ ...this.#ofReport(), persist: () => this.#actor.persist() })
      : undefined;
  }

  #openTurnReport(): TurnReport | undefined {
    const { outlet, request } = this.#options;
    if (request.durable !== true) return undefined;
    return new TurnReport({
      ...this.#ofReport(),
      actor: () => this.#actor,
      outlet,
      large: () => this.#options.owner.large(),
      // Of one that is written behind nothing is kept that its states do not have.
      work: () => (outlet === undefined ? undefined : this.#invocations),
    });
  }

  #ofReport(): Omit<StateReportOptions, 'persist'> {
    const { reports, progress } = this.#options;
    return {
      slot: this.slot,
      reports,
      handled: (slot = this.slot) => progress?.handled(slot) ?? 0,
      ended: () => this.#ended,
      atRest: () => this.#state.current === undefined,
    };
  }

  get #at(): Invocations {
    return (this.#invocations ??= new Invocations(this.#options.bridge));
  }

  /** By which what its turns begin is known later; undefined when it is not. */
  get #work(): Origin | undefined {
    return this.#invocations?.of(this.#actor.ref) ?? (this.#state.isBound ? this.#asOrigin : undefined);
  }

  get #asOrigin(): Origin {
    return (this.#origin ??= { bridge: this.#options.bridge });
  }

  #asCurrent<T>(run: () => T): T {
    const state = threadState();
    const before = state.current;
    state.current = this.#options.bridge;
    try {
      return state.isBound && state.origin !== undefined ? state.origin.run(this.#asOrigin, run) : run();
    } finally {
      // A thread may exit in the middle of a turn.
      state.current = before;
    }
  }

  /** Observes the actor for as long as the instance is watched. */
  #observe(): void {
    if (this.#watched) {
      this.#subscription ??= this.#actor.ref.subscribe({
        next: ({ status }) => this.#changed(status),
        error: () => {},
      });
    } else {
      this.#subscription?.unsubscribe();
      this.#subscription = undefined;
    }
  }

  #changed(status: string): void {
    // The last state comes with the end itself, so that an observer sees it once, as with a local actor.
    if (!this.#watched || status !== 'active') return;
    if (this.#options.request.mirror === 'all') return this.#report();
    if (this.#dirty) return;
    this.#dirty = true;
    this.#options.reports.changed(this);
  }

  #report(): void {
    this.#dirty = false;
    if (this.#ended) return;
    const snapshot = this.#actor.ref.getSnapshot() as AnySnapshot;
    // Children may have started or failed since then.
    const isThere =
      this.#ahead && snapshot === this.#known && Object.keys(snapshot.children ?? {}).length === 0;
    this.#known = snapshot;
    this.#ahead = false;
    this.let(REPORT.snapshot, isThere ? undefined : encodeSnapshot(snapshot));
  }

  /**
   * Sends the state ahead of an event: code that reads the state when the event arrives finds the one that the actor
   * had when it sent the event. Observers are told of it after that, as with a local actor.
   */
  #reportAhead(): void {
    const snapshot = snapshotOf(this.#actor.ref) as AnySnapshot;
    const known = this.#known;
    if (this.#ended || (known?.value === snapshot.value && known?.context === snapshot.context)) return;
    this.#known = snapshot;
    this.#ahead = true;
    this.let(REPORT.ahead, encodeSnapshot(snapshot));
  }

  /** Whether what it lets out now goes with a state that is not told yet. */
  get restsOnTurn(): boolean {
    return this.#options.outlet !== undefined && this.changes;
  }

  /** Reports something that rests on the state: of a durable instance only with the state, unless that is told. */
  let(kind: number, payload: unknown): void {
    const { outlet, reports } = this.#options;
    if (outlet === undefined || !this.changes) reports.add(kind, this.slot, payload);
    else outlet.hold(kind, payload);
  }

  // oxlint-disable-next-line eslint/no-unused-private-class-members -- by the class within
  #tellParent(event: AnyEventObject): void {
    const { reports, request, owner } = this.#options;
    if (this.#over) return owner.late('an event to its parent');
    if (event.type === `xstate.done.actor.${request.id}`) {
      this.#turnReport?.last();
      reports.add(REPORT.done, this.slot, { output: event['output'], snapshot: this.snapshot() });
      this.#end();
    } else if (event.type === `xstate.error.actor.${request.id}`) {
      // The instance was stopped, and this is the result.
      if (this.#ended) return this.#failedEnd(event['error']);
      this.#failure = this.#misfit(event['error'] ?? new Error('the agent failed without an error'));
      this.#turnReport?.drop();
      // A failed start is the answer to the call that asked for it.
      if (!this.#starting) {
        const error = encodeError(this.#failure);
        const unfit = this.#unproven !== undefined && { unfit: true };
        const link = this.#turnReport?.linkOf(this.#options.progress?.inHand() ?? -1);
        const more = { ...unfit, ...(link !== undefined && { link }) };
        const report: ErrorReport = { error, snapshot: this.snapshot(), inTurn: this.#inTurn, ...more };
        reports.add(REPORT.error, this.slot, report);
      }
      this.#end();
    } else {
      this.#tell(REPORT.parentEvent, event);
    }
  }

  /** A failure before the end of the first turn of a state of another version says that the two do not fit. */
  #misfit(error: unknown): unknown {
    if (this.#unproven === undefined) return error;
    const why = error instanceof Error ? error.message : 'something that is not an Error was thrown';
    const { from } = this.#unproven;
    return incompatible(
      this.address,
      from,
      versionOf(this.#options.logic),
      `its first turn failed (${why}); export a migration that makes it fit, or go back to that machine`,
      { cause: error },
    );
  }

  #tell(kind: number, event: AnyEventObject): void {
    if (this.#watched) this.#reportAhead();
    this.#options.progress?.tell(this.slot);
    const errors = findErrors(event);
    if (errors === undefined) this.let(kind, event);
    else this.let(REPORT.withErrors, [kind, event, errors]);
  }

  #emitted(event: AnyEventObject): void {
    const emits = this.contract?.emits;
    if (emits === undefined) return this.#tell(REPORT.emitted, event);
    const found = fields(emits.get(event.type), event, 'a type that the agent emits');
    if ('value' in found) return this.#tell(REPORT.emitted, found.value as AnyEventObject);
    const what = `an event of the type "${event.type.slice(0, 64)}" was left behind in the thread`;
    this.#options.bridge.warn(`${what}: it does not fit what the agent emits: ${placesOf(found.issues)}`);
  }

  #failedEnd(error: unknown): void {
    const why = error instanceof Error ? error.message : 'something that is not an Error was thrown';
    this.#options.bridge.warn(
      `something failed in ${this.address} when it ended, and everything else was ended: ${why}`,
    );
  }

  #end(): void {
    this.#leave();
    this.#over = true;
    this.#options.owner.ended();
  }

  #leave(): void {
    this.#ended = true;
    this.#noLonger(this.#options.request.incarnation);
    for (const incarnation of this.#answersFor ?? []) this.#noLonger(incarnation);
  }

  #noLonger(incarnation: number): void {
    const { running } = threadState();
    const { bridge } = this.#options;
    const key = runningKey({ address: this.address, incarnation });
    if (running.get(key) === bridge) running.delete(key);
  }

  /** The put-off asks that came from there; one that is answered by a stream is answered here or nowhere. */
  putOff(from: Asker): CarriedAsk[] {
    const asks: CarriedAsk[] = [];
    for (const { ask, asker, incarnation } of this.#deferred?.values() ?? []) {
      const { id, type, tag, deadline } = ask;
      if (asker === from && ask.stream === undefined) {
        // Only who checks the reply needs it.
        const checks = this.contract?.replies?.has(type) === true;
        const { kept } = ask;
        asks.push({ incarnation, ask: id, tag, deadline, ...(checks && { type }), ...(kept && { kept }) });
      }
    }
    return asks;
  }

  /** Takes over asks that were put off in another thread or process, so that a token from there can answer here. */
  takeOver(asks: readonly CarriedAsk[], asker: Asker): void {
    const { bridge } = this.#options;
    for (const { incarnation, ask: id, type = '', tag, deadline, kept = false } of asks) {
      this.deferred.set(id, {
        ask: {
          id,
          type,
          tag,
          deadline,
          depth: 0,
          streams: false,
          kept,
          state: 'deferred',
          value: undefined,
          stream: undefined,
        },
        asker,
        incarnation,
      });
      (this.#answersFor ??= new Set()).add(incarnation);
      threadState().running.set(runningKey({ address: this.address, incarnation }), bridge);
    }
  }
}

function replyDoesNotFit(address: string, type: string, issues: readonly EventIssue[]): HoldfastError {
  return new HoldfastError(
    'ASK_UNANSWERED',
    `${address} replied to "${type.slice(0, 64)}" what does not fit its replies: ${placesOf(issues)}`,
    { issues },
  );
}

function unpersistable(address: string, cause: unknown): HoldfastError {
  const why = cause instanceof Error ? cause.message : 'something that is not an Error was thrown';
  const advice =
    'name each child’s logic by a string src in setup({ actors }), and keep getters that throw out of the context';
  return new HoldfastError(
    'REPLY_UNCLONABLE',
    `the state of ${address} cannot be persisted (${why}); ${advice}`,
    {
      cause,
    },
  );
}

/** To microseconds. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function deliver(actor: HostedActor, event: AnyEventObject): void {
  actor.deliver(event);
}
