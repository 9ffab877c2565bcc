/**
 * The one place that touches what XState 5 does not document: `_send`, `_parent`, `_stop`, `_processingStatus`,
 * `_actorScope`, `_subscription`, the `parent` option and the shape of `system`. Each touch-point has a contract test, so that a new XState fails here, loudly.
 */
import {
  createActor,
  type AnyActor,
  type AnyActorLogic,
  type AnyActorRef,
  type AnyEventObject,
  type Subscription,
} from 'xstate';
import { HoldfastError } from '../base/errors.ts';
import { callUser } from '../base/user-call.ts';
import { checkHandler, checkObserver, checkSelector } from '../base/observer-check.ts';
import type { ActorClock } from './actor-clock.ts';
import { actorAt, hasWork, movable, pathsWithin } from './family.ts';
import { interruptWork, type InvokedPolicy } from './interrupted-work.ts';
import {
  waitOf,
  type PersistedState,
  type PersistedTimer,
  type TimersPolicy,
  type TimerTarget,
} from './persisted-timer.ts';
import {
  encodeActors,
  marksFor,
  peerPlaceOf,
  persistActors,
  reviveActors,
  reviveIn,
  type StandIns,
  withContexts,
} from './persisted-actors.ts';
import { LastTold } from './last-told.ts';
import { heedingContexts, withoutContexts } from './persist-context.ts';
import { Relay } from './relay.ts';
import { Running } from './running.ts';
import { Scheduler } from './scheduler.ts';
import type { Inspected } from './inspected.ts';

/* oxlint-disable typescript/no-explicit-any -- XState's own name for "any event" */
type Internals = {
  _send(event: AnyEventObject): void;
  _stop(): void;
  _snapshot: unknown;
  readonly _processingStatus: number;
  readonly _actorScope: { emit(event: AnyEventObject): void };
  logic: AnyActorLogic;
  subscribe(...args: any[]): Subscription;
  on(type: string, handler: (event: never) => void): Subscription;
};
/* oxlint-enable typescript/no-explicit-any */

/** Options for logic that is hosted here, away from the actor that owns it. */
export interface HostedOptions extends StandIns {
  /** The id the actor has for its parent. */
  readonly id: string;
  /** The prefix of every session id, unique in the whole runtime, so that actors of all threads can be told apart. */
  readonly sessionId: string;
  readonly input?: unknown;
  /** A persisted snapshot to continue from. */
  readonly snapshot?: unknown;
  /** The timers that were persisted with it. */
  readonly timers?: readonly PersistedTimer[] | undefined;
  /** The policy for those timers. Default `deadline`. */
  readonly timersPolicy?: TimersPolicy | undefined;
  /** Whether the snapshot and its timers are what was told last, see {@link HostedActor.isAsTold}. Default: false. */
  readonly isTold?: boolean | undefined;
  /** What becomes of work that was under way in a snapshot. Default `restart`. */
  readonly invoked?: InvokedPolicy | undefined;
  readonly clock: ActorClock;
  /**
   * Receives what the actor tells its parent: done, error and `sendParent` events. A callback may send one after its
   * end.
   */
  readonly onParentEvent: (event: AnyEventObject) => void;
  /**
   * Runs work that begins within the system: a timer, an invoked promise or callback, an event of another actor of the
   * same system. Not called for {@link HostedActor.deliver}.
   */
  readonly around?: (run: () => void) => void;
  /**
   * Called for each actor, event and snapshot of the system, as XState's own `inspect` is, except for events of
   * {@link HostedActor.deliver}. Must not throw.
   */
  readonly inspected?: ((told: Inspected) => void) | undefined;
  /**
   * Called when actors of the system sent each other more events than one turn takes; the rest wait for
   * {@link HostedActor.resume}.
   */
  readonly onPending?: () => void;
  /** Called when an actor failed as it was to end, with the one that began it or after a failure of its own. */
  readonly onFailedEnd?: (error: unknown) => void;
  /**
   * Surrounds what a promise, a callback or an observable does within a turn: its start, from which its work goes on
   * outside of turns, and how it takes an event that was sent to it.
   */
  readonly within?: (<T>(actor: AnyActorRef, run: () => T) => T) | undefined;
  /** Called when an actor of the system has ended. */
  readonly onEnded?: ((actor: AnyActorRef) => void) | undefined;
  /**
   * The most microsteps without rest before a machine is stopped with an error: the hosted one, and every machine
   * below it that sets no bound of its own.
   */
  readonly maxIterations: number;
}

export interface HostedActor {
  readonly ref: AnyActor;
  /** Puts an event into the actor's own queue; runs its turn unless one is running. */
  deliver(event: AnyEventObject): void;
  /** The number of events between actors of this system that wait because a turn had enough of them. */
  readonly pending: number;
  /**
   * Goes on with the pending events, in their order, until `max` or more were delivered; returns how many, including
   * those that they led to at once.
   */
  resume(max: number): number;
  /** The complete state from which another incarnation continues. Throws when a child has logic without a name. */
  persist(): PersistedState;
  /**
   * The state as {@link HostedActor.persist} gives it where no actor stands in it, which is left to the caller to find out:
   * it may be about to look at every part of it.
   */
  persistAsIs(): PersistedState;
  /** Notes the state as told, for {@link HostedActor.isAsTold}. */
  told(): void;
  /**
   * Whether every part that {@link HostedActor.persist} gives is as it was told last, see {@link LastTold}; `false`
   * when it was never told. Throws where `persist` does.
   */
  readonly isAsTold: boolean;
  /** Whether a promise, callback or observable of the system is active, which would begin anew after a crash. */
  readonly hasWork: boolean;
  /** `true`, or else a text that says which actor would repeat its work if the hosted actor continued elsewhere. */
  movable(): true | string;
  /** The number of running actors of the system, including the hosted one. */
  readonly running: number;
  start(): void;
  stop(): void;
  /**
   * Ends every actor of the system, whatever it is doing, because the thread is about to exit, perhaps in the middle
   * of a turn.
   */
  abandon(): void;
}

/**
 * Creates an actor whose parent lives elsewhere. It gets a parent and a system of its own making: a root without a
 * parent would rethrow its errors as uncaught exceptions, and `sendParent` would fail at creation.
 */
export function createHostedActor(logic: AnyActorLogic, options: HostedOptions): HostedActor {
  return new Hosted(logic, options);
}

/** One object for each instance, whose methods all share: most of the instances of a thread are idle. */
class Hosted implements HostedActor {
  readonly ref: AnyActor;
  readonly #logic: AnyActorLogic;
  readonly #options: HostedOptions;
  readonly #system: HostedSystem;
  #lastTold: LastTold | undefined;

  constructor(logic: AnyActorLogic, options: HostedOptions) {
    this.#logic = logic;
    this.#options = options;
    this.#system = new HostedSystem(options);
    const ref = createActor(logic, {
      id: options.id,
      input: options.input,
      parent: this.#system.parent,
      ...(options.snapshot === undefined ? {} : { snapshot: options.snapshot as never }),
    }) as AnyActor;
    if (options.snapshot !== undefined) reviveActors(ref, options);
    this.ref = ref;
    this.#system.relay.root = ref;
  }

  deliver(event: AnyEventObject): void {
    const { relay } = this.#system;
    relay.enter();
    (this.ref as unknown as Internals)._send(event);
    relay.leave();
  }

  get pending(): number {
    return this.#system.relay.pending;
  }

  resume(max: number): number {
    return this.#system.relay.resume(max);
  }

  persist(): PersistedState {
    return this.#persist(persistActors);
  }

  persistAsIs(): PersistedState {
    return this.#persist(withContexts);
  }

  #persist(complete: (root: AnyActorRef, persisted: unknown) => unknown): PersistedState {
    const { ref } = this;
    const { version } = this.#logic as { version?: unknown };
    const snapshot = complete(
      ref,
      withoutContexts(() => ref.getPersistedSnapshot()),
    );
    const timers = timersOf(ref, this.#system);
    return typeof version === 'string' ? { snapshot, timers, version } : { snapshot, timers };
  }

  told(): void {
    const { scheduler, relay } = this.#system;
    (this.#lastTold ??= new LastTold(this.ref, [scheduler, relay])).note();
  }

  get isAsTold(): boolean {
    return this.#lastTold?.isCurrent === true;
  }

  get hasWork(): boolean {
    return hasWork(this.ref);
  }

  movable(): true | string {
    return movable(this.ref, this.#system.running.below(this.ref));
  }

  get running(): number {
    return this.#all().length;
  }

  start(): void {
    const { ref } = this;
    const options = this.#options;
    const { relay } = this.#system;
    // Before the actor starts, so that a state that it leaves while it starts cancels its timers as ever.
    if (options.timers !== undefined) setTimers(options.timers, ref, options, this.#system);
    const isCut = options.invoked === 'fail' && options.snapshot !== undefined;
    const tellInterrupted = isCut ? interruptWork(ref, endUnstarted) : undefined;
    if (options.isTold === true) this.told();
    relay.enter();
    ref.start();
    // Ahead of the events that were on their way: what came from an interrupted actor is among them.
    tellInterrupted?.((target, event) => {
      options.inspected?.({ type: '@xstate.event', actorRef: target, sourceRef: undefined, event });
      this.#system.deliver(target, event);
    });
    relay.leave();
  }

  stop(): void {
    this.#system.stops.stopTree(this.ref);
  }

  abandon(): void {
    for (const actor of this.#all()) {
      stopActor(actor);
      // An actor in the middle of a turn would stop after it.
      if (!isStopped(actor)) cleanUp(actor, this.#options);
    }
  }

  #all(): AnyActorRef[] {
    return this.#system.running.below(this.#system.parent);
  }
}

/** Ends an actor that was never started; as for one that is restored so, XState frees its `systemId`. */
function endUnstarted(actor: AnyActorRef, snapshot: object): void {
  putSnapshot(actor, snapshot);
  (actor.system as unknown as { _unregister(ref: AnyActorRef): void })._unregister(actor);
}

/** The stops of actors together with the one that began them. */
class Stops {
  /** Actors that were told to stop; exists from the first one on. */
  #told: WeakSet<object> | undefined;
  /** The number of stops under way, one within the other. */
  #running = 0;

  get underWay(): boolean {
    return this.#running > 0;
  }

  tell(actor: object): void {
    (this.#told ??= new WeakSet()).add(actor);
  }

  wasTold(actor: object): boolean {
    return this.#told?.has(actor) === true;
  }

  /** Stops an actor and all its descendants, while none of the actors that they notify goes on. */
  stopTree(actor: AnyActorRef): void {
    this.#running += 1;
    try {
      stopActor(actor);
    } finally {
      this.#running -= 1;
    }
  }
}

/** XState's own numbers for actors that do not run yet, and that no longer run. */
const IDLE = 0;
const STOPPED = 2;

function isStopped(actor: AnyActorRef): boolean {
  return (actor as unknown as Internals)._processingStatus === STOPPED;
}

/** Whether the event is the last one that an actor sends, after it has stopped. */
function isNewsOfEnd(source: AnyActorRef, target: AnyActorRef, { type }: AnyEventObject): boolean {
  const { id } = source;
  const isEnd = type === `xstate.error.actor.${id}` || type === `xstate.done.actor.${id}`;
  return isEnd && target === parentOf(source);
}

/**
 * Whether the logic has work under way between events, which its stop must end. Machines have such work in their
 * children.
 */
function begins(logic: AnyActorLogic): boolean {
  return typeof logic.start === 'function' && !isMachine(logic);
}

/** Cleans up after an actor that has failed, because XState does not tell its logic to stop. */
function cleanUp(actor: AnyActorRef, options: Pick<HostedOptions, 'onFailedEnd'>): void {
  const { logic, _actorScope: scope } = actor as unknown as Internals;
  if (!begins(logic)) return;
  try {
    logic.transition(snapshotOf(actor), { type: 'xstate.stop' }, scope as never);
  } catch (error) {
    options.onFailedEnd?.(error);
  }
}

/** The members that a machine has and other logic has not. */
interface Machine {
  readonly root: unknown;
  options?: { readonly maxIterations?: number };
  provide(implementations: object): Machine;
}

/** Machines that were given their bound here, each with its copies by bound. */
const bounded = new WeakMap<object, Map<number, Machine>>();

function isMachine(logic: AnyActorLogic): boolean {
  return (logic as unknown as Machine).root !== undefined;
}

/** Returns the logic with a bound. A machine shared by agents with different bounds is copied, once for each bound. */
function boundIterations(logic: AnyActorLogic, maxIterations: number): AnyActorLogic {
  if (!isMachine(logic)) return logic;
  const machine = logic as unknown as Machine;
  const known = bounded.get(machine);
  if (known === undefined) {
    if ((machine.options?.maxIterations ?? Infinity) !== Infinity) return logic;
    machine.options = { ...machine.options, maxIterations };
    bounded.set(machine, new Map([[maxIterations, machine]]));
    return logic;
  }
  let copy = known.get(maxIterations);
  if (copy === undefined) {
    copy = machine.provide({});
    copy.options = { ...machine.options, maxIterations };
    known.set(maxIterations, copy);
    bounded.set(copy, known);
  }
  return copy as unknown as AnyActorLogic;
}

/** The snapshot of an observable. */
interface Observing {
  readonly _subscription?: Subscription | undefined;
}

/** Whether an actor does nothing of its own with the event. */
function isOfXState({ type }: AnyEventObject): boolean {
  return type.startsWith('xstate.');
}

/**
 * Returns the logic with what it does surrounded; `stops` collects the actors that were told to stop. Logic that is no
 * plain object stays as it is, because its methods may need it whole.
 */
function surrounded(logic: AnyActorLogic, options: HostedOptions, stops: Stops): AnyActorLogic {
  if (!begins(logic) || Object.getPrototypeOf(logic) !== Object.prototype) return logic;
  const within = <T>(actor: AnyActorRef, run: () => T): T =>
    options.within === undefined ? run() : options.within(actor, run);
  return {
    ...logic,
    start: (snapshot, scope) => within(scope.self, () => logic.start?.(snapshot, scope)),
    transition(snapshot, event, scope) {
      if ((event as AnyEventObject).type === 'xstate.stop') {
        stops.tell(scope.self);
        return logic.transition(snapshot, event, scope);
      }
      const { _subscription: subscription } = snapshot as Observing;
      const next: unknown = isOfXState(event as AnyEventObject)
        ? logic.transition(snapshot, event, scope)
        : within(scope.self, () => logic.transition(snapshot, event, scope) as unknown);
      // XState lets go of an actor whose observable is over, which may not have ended its own work.
      if (subscription !== undefined && (next as Observing)._subscription === undefined)
        callUser(
          () => subscription.unsubscribe(),
          (error) => options.onFailedEnd?.(error),
        );
      return next as never;
    },
  };
}

function tooLate(): HoldfastError {
  return new HoldfastError(
    'AGENT_STOPPED',
    'an actor is not started after the end of the one that made it; end what makes it in its cleanup',
  );
}

/** The timers and the events on their way, which XState does not persist; ids of children name their targets. */
function timersOf(root: AnyActorRef, { parent, scheduler, relay }: HostedSystem): PersistedTimer[] {
  const [waiting, later] = [scheduler.waiting, relay.waiting];
  if (waiting.length === 0 && later.length === 0) return [];
  const paths = pathsWithin(root);
  const mark = marksFor(root);
  const persisted = (event: AnyEventObject): AnyEventObject => encodeActors(event, mark) as AnyEventObject;
  const now = scheduler.now();
  const timers: PersistedTimer[] = [];
  for (const { target, event } of later) {
    const to = targetOf(target, parent, paths);
    if (to !== undefined)
      timers.push({ from: [], to, event: persisted(event), delayMs: 0, dueAt: now, leftMs: 0 });
  }
  for (const { source, target, event, id, delayMs, dueAt } of waiting) {
    const from = paths.get(source);
    const to = targetOf(target, parent, paths);
    // A stopped actor will not get the event.
    if (from === undefined || to === undefined) continue;
    timers.push({ from, to, event: persisted(event), id, delayMs, dueAt, leftMs: Math.max(0, dueAt - now) });
  }
  return timers;
}

function targetOf(
  target: AnyActorRef,
  parent: AnyActorRef,
  paths: ReadonlyMap<AnyActorRef, readonly string[]>,
): TimerTarget | undefined {
  if (target === parent) return { parent: true };
  return paths.get(target) ?? peerPlaceOf(target);
}

/**
 * Sets the timers of a restored state, because XState restores the states that set them but does not set them again.
 */
function setTimers(
  timers: readonly PersistedTimer[],
  root: AnyActorRef,
  options: HostedOptions,
  { parent, scheduler, relay }: HostedSystem,
): void {
  const { timersPolicy = 'deadline' } = options;
  const now = scheduler.now();
  const byTarget = (to: TimerTarget): AnyActorRef | undefined => {
    if ('parent' in to) return parent;
    return 'address' in to
      ? options.agentAt?.(to.address, { activate: to.activate === true })
      : actorAt(root, to);
  };
  const inOrder = timers
    .map((timer) => ({ timer, waitMs: waitOf(timer, timersPolicy, now) }))
    .toSorted((a, b) => a.waitMs - b.waitMs || a.timer.dueAt - b.timer.dueAt);
  for (const { timer, waitMs } of inOrder) {
    const { id, delayMs } = timer;
    const event = reviveIn(timer.event, root, options) as AnyEventObject;
    const [source, target] = [actorAt(root, timer.from), byTarget(timer.to)];
    if (source === undefined || target === undefined) continue;
    if (id === undefined) relay.later(target, event);
    else scheduler.arm({ source, target, event, id, delayMs, dueAt: now + waitMs }, waitMs);
  }
}

/** What the hosted actor has for a parent: what it tells this goes to the actor that owns it, elsewhere. */
class Parent {
  readonly id = 'host';
  readonly src = 'host';
  readonly system: HostedSystem;
  readonly #options: HostedOptions;

  constructor(system: HostedSystem, options: HostedOptions) {
    this.system = system;
    this.#options = options;
  }

  get sessionId(): string {
    return `${this.#options.sessionId}/host`;
  }

  getSnapshot(): object {
    return { status: 'active' };
  }

  send(event: AnyEventObject): void {
    this.#options.onParentEvent(event);
  }

  _send(event: AnyEventObject): void {
    this.#options.onParentEvent(event);
  }
}

function print(...args: unknown[]): void {
  console.log(...args);
}

/** The parts of XState's `createSystem` (not exported) that actors use, over Holdfast's ids and clock. */
class HostedSystem {
  readonly parent: AnyActorRef;
  readonly relay: Relay;
  readonly scheduler: Scheduler;
  readonly running = new Running();
  readonly stops = new Stops();
  readonly #options: HostedOptions;
  /** The actors by their `systemId`, and back; they exist from the first one on. */
  #keyed: Map<string, AnyActorRef> | undefined;
  #keys: WeakMap<AnyActorRef, string> | undefined;
  #booked = 0;
  #over = false;

  constructor(options: HostedOptions) {
    this.#options = options;
    this.relay = new Relay(this);
    this.scheduler = new Scheduler(options.clock, this);
    this.parent = new Parent(this, options) as unknown as AnyActorRef;
  }

  /** Puts an event into an actor's own mailbox. */
  deliver(target: AnyActorRef, event: AnyEventObject): void {
    const options = this.#options;
    if (options.around === undefined) (target as unknown as Internals)._send(event);
    else options.around(() => (target as unknown as Internals)._send(event));
  }

  onPending(): void {
    this.#options.onPending?.();
  }

  _relay(source: AnyActorRef | undefined, target: AnyActorRef, event: AnyEventObject): void {
    if (source !== undefined && isStopped(source)) {
      const { stops } = this;
      // The source failed while it was stopped with the actor that began it, and that takes nothing any more.
      if (stops.underWay && stops.wasTold(source) && isNewsOfEnd(source, target, event))
        return this.#failedEnd(event);
      // A target outside of the system decides itself whether the event is too late.
      if (!isNewsOfEnd(source, target, event))
        return target === this.parent ? this.#options.onParentEvent(event) : undefined;
      // The source was stopped with the actor that began it, and this is the result.
      if (isStopped(target)) return this.#failedEnd(event);
    }
    this.#options.inspected?.({ type: '@xstate.event', actorRef: target, sourceRef: source, event });
    this.relay.send(target, event);
  }

  #failedEnd(event: AnyEventObject): void {
    if (event.type.startsWith('xstate.error')) this.#options.onFailedEnd?.(event['error']);
  }

  // The first actor is the hosted one itself, and has the same id as its twin in the host.
  _bookId(): string {
    const { sessionId } = this.#options;
    const booked = this.#booked++;
    return booked === 0 ? sessionId : `${sessionId}/${booked}`;
  }

  _register(id: string, ref: AnyActorRef): string {
    const parent = parentOf(ref) as AnyActorRef;
    if (!this.#over && !isStopped(parent)) this.running.add(parent, ref);
    // XState does not start an actor that has failed.
    else (ref as unknown as Internals)._snapshot = { status: 'error', output: undefined, error: tooLate() };
    return id;
  }

  // XState also calls this for an actor that is about to stop.
  _unregister(ref: AnyActorRef): void {
    this.#free(ref);
    if (isStopped(ref)) this.#ended(ref);
  }

  _set(key: string, ref: AnyActorRef): void {
    const existing = this.#keyed?.get(key);
    if (existing && existing !== ref) throw new Error(`Actor with system ID '${key}' already exists.`);
    (this.#keyed ??= new Map()).set(key, ref);
    (this.#keys ??= new WeakMap()).set(ref, key);
  }

  // Code of agents may take these off the system, as off XState's own.
  get get(): (key: string) => AnyActorRef | undefined {
    return (key) => this.#keyed?.get(key);
  }

  get getAll(): () => object {
    return () => Object.fromEntries(this.#keyed ?? []);
  }

  get inspect(): () => Subscription {
    return () => ({ unsubscribe() {} });
  }

  // An actor is announced before it takes its first step.
  _sendInspectionEvent(shown: Inspected): void {
    const options = this.#options;
    if (shown.type === '@xstate.actor') {
      const actor = shown.actorRef as unknown as { logic: AnyActorLogic };
      const logic = heedingContexts(boundIterations(actor.logic, options.maxIterations));
      actor.logic = surrounded(logic, options, this.stops);
    }
    options.inspected?.(shown);
  }

  getSnapshot(): object {
    return { _scheduledEvents: {} };
  }

  get _clock(): ActorClock {
    return this.#options.clock;
  }

  get _logger(): (...args: unknown[]) => void {
    return print;
  }

  #free(ref: AnyActorRef): void {
    const key = this.#keys?.get(ref);
    if (key !== undefined) this.#keyed?.delete(key);
    this.#keys?.delete(ref);
  }

  /** Ends whatever an actor began, once the actor has ended. */
  #ended(ref: AnyActorRef): void {
    const { running, relay, stops } = this;
    const parent = parentOf(ref) as AnyActorRef;
    if (!running.remove(parent, ref)) return;
    this.#options.onEnded?.(ref);
    if (ref === relay.root) {
      this.#over = true;
      this.scheduler.close();
      relay.close((target) => target === parent || (target.system as object) !== this);
    }
    for (const child of running.begunBy(ref)) stops.stopTree(child);
    if ((snapshotOf(ref) as { status: string }).status !== 'error') return;
    // An actor that failed as it was stopped is not told to stop twice.
    if (!stops.wasTold(ref)) cleanUp(ref, this.#options);
    // Actors that the ended one had made and not yet started.
    for (const actor of this.#keyed?.values() ?? []) if (parentOf(actor) === ref) this.#free(actor);
  }
}

/**
 * Gives every event that is sent to `self` to `post` instead of XState's queue, which would notify each observer with
 * a stale snapshot for each of them. Returns the way to that queue, for the runtime's own events to the actor.
 * XState's own stop does not pass here.
 */
export function interceptEvents(
  self: AnyActorRef,
  post: (event: AnyEventObject) => void,
): (event: AnyEventObject) => void {
  const internals = self as unknown as Internals;
  const queue = internals._send.bind(self);
  internals._send = post;
  return queue;
}

/**
 * Reports the first observer of snapshots, and the end of the last one. XState throws the error of an observer, and an
 * error that no observer takes, into the event loop, where it would end the process; here `failed` gets it. A value
 * that is no observer is refused. Unknown snapshots are kept from observers, because XState would notify them of one
 * at the start. `added`: something is about to listen, to snapshots or to anything else.
 */
export function watchObservers(
  self: AnyActorRef,
  changed: (watched: boolean) => void,
  failed: (error: unknown, what: 'observer' | 'actor') => void = () => {},
  isKnown: (snapshot: unknown) => boolean = () => true,
  added: () => void = () => {},
): void {
  const internals = self as unknown as Internals;
  const subscribe = internals.subscribe.bind(self);
  const on = internals.on.bind(self);
  const select = self.select.bind(self);
  internals.on = (type, handler) => {
    checkHandler(type, handler);
    added();
    return on(type, guarded(handler, failed));
  };
  self.select = (selector, equal) => {
    checkSelector(selector, equal);
    const selected = select(selector, equal);
    return {
      ...selected,
      // XState calls it from an observer of its own, where a rejection would be lost.
      subscribe: (...args: unknown[]) =>
        selected.subscribe(guardedObserver(args, failed, () => true) as never),
    };
  };
  let observers = 0;
  internals.subscribe = (...args) => {
    checkObserver(args);
    added();
    if (!wantsSnapshots(args[0])) return subscribe(guardedObserver(args, failed, isKnown));
    let state: 'new' | 'counted' | 'over' = 'new';
    const close = (): void => {
      const counted = state === 'counted';
      state = 'over';
      if (!counted) return;
      observers -= 1;
      if (observers === 0) changed(false);
    };
    // XState lets go of an observer as it tells it of the end: at once, for one that comes after the end.
    const subscription = subscribe(guardedObserver(args, failed, isKnown, close));
    if ((state as string) === 'over') return subscription;
    state = 'counted';
    observers += 1;
    changed(true);
    return {
      unsubscribe() {
        subscription.unsubscribe();
        close();
      },
    };
  };
}

/** Whether anything listens to the actor: an observer, or a listener for what it emits. */
export function isObserved(ref: AnyActorRef): boolean {
  const { observers, eventListeners } = ref as unknown as {
    readonly observers: ReadonlySet<unknown>;
    readonly eventListeners: ReadonlyMap<string, ReadonlySet<unknown>>;
  };
  if (observers.size > 0) return true;
  for (const listeners of eventListeners.values()) if (listeners.size > 0) return true;
  return false;
}

/** The system of an actor that runs knows it no more: it lives for as long as somebody else holds it. */
export function leaveSystem(ref: AnyActorRef): void {
  (ref.system as unknown as ActorSystem)._unregister(ref);
}

/** The system of the actor knows it again. */
export function rejoinSystem(ref: AnyActorRef): void {
  (ref.system as unknown as ActorSystem)._register(ref.sessionId, ref);
}

interface ActorSystem {
  _register(sessionId: string, ref: AnyActorRef): void;
  _unregister(ref: AnyActorRef): void;
}

type Listener = ((value: never) => void) | undefined;

function guarded<T extends (value: never) => void>(
  listener: T,
  failed: (error: unknown, what: 'observer') => void,
): T {
  return ((value: never) => {
    callUser(
      () => listener(value) as unknown,
      (error) => failed(error, 'observer'),
    );
  }) as T;
}

function guardedObserver(
  [first, onError, onComplete]: readonly unknown[],
  failed: (error: unknown, what: 'observer' | 'actor') => void,
  isKnown: (snapshot: unknown) => boolean,
  over: () => void = () => {},
): object {
  const isObserver = typeof first === 'object' && first !== null;
  const given = (isObserver ? first : { next: first, error: onError, complete: onComplete }) as {
    next?: Listener;
    error?: Listener;
    complete?: Listener;
  };
  const guard = (listener: Listener | null): Listener =>
    listener ? guarded((value: never) => Reflect.apply(listener, given, [value]), failed) : undefined;
  const next = guard(given.next);
  const failure = guard(given.error) ?? ((error: unknown) => failed(error, 'actor'));
  const completion = guard(given.complete);
  return {
    next: next && ((snapshot: never) => isKnown(snapshot) && next(snapshot)),
    error(error: never) {
      over();
      failure(error);
    },
    complete() {
      over();
      completion?.(undefined as never);
    },
  };
}

/** Whether the observer wants snapshots. `toPromise` observes only the end, which alone opens no mirror. */
function wantsSnapshots(observer: unknown): boolean {
  if (typeof observer === 'function') return true;
  return typeof observer === 'object' && observer !== null && 'next' in observer && Boolean(observer.next);
}

/** Stops an actor that has a parent, which XState's own `stop` refuses. */
export function stopActor(ref: AnyActorRef): void {
  (ref as unknown as Internals)._stop();
}

/** Stops an actor that has no parent, at once; an actor with a parent is left to it. */
export function stopRoot(ref: AnyActorRef): void {
  const { _parent: parent } = ref as unknown as { _parent: AnyActorRef | undefined };
  if (parent === undefined) stopActor(ref);
}

/** Gives an actor a snapshot without notifying its observers. */
export function putSnapshot(ref: AnyActorRef, snapshot: object): void {
  (ref as unknown as Internals)._snapshot = snapshot;
}

/**
 * Starts an actor again that has ended, from `snapshot`, which must be active. XState has let go of its observers and
 * listeners; holders of the reference can use it as before.
 */
export function reviveActor(ref: AnyActorRef, snapshot: object): void {
  putSnapshot(ref, snapshot);
  ref.start();
}

/** Emits an event to the listeners of `on`. */
export function emitFrom(ref: AnyActorRef, event: AnyEventObject): void {
  (ref as unknown as Internals)._actorScope.emit(event);
}

/** Sends an event to the actor's parent, as the actor itself would; `false` when it has none. */
export function sendToParent(ref: AnyActorRef, event: AnyEventObject): boolean {
  const { _parent: parent, system } = ref as unknown as {
    _parent: AnyActorRef | undefined;
    system: { _relay(source: AnyActorRef, target: AnyActorRef, event: AnyEventObject): void };
  };
  if (parent === undefined) return false;
  system._relay(ref, parent, event);
  return true;
}

/** Whether the actor has not been started, or was stopped and then reset by XState's React bindings. */
export function isIdle(ref: AnyActorRef): boolean {
  return (ref as unknown as Internals)._processingStatus === IDLE;
}

export function parentOf(ref: AnyActorRef): AnyActorRef | undefined {
  return (ref as unknown as { _parent?: AnyActorRef })._parent;
}

/** The state of an actor; undefined while it is being made, when XState lets nobody read it. */
export function snapshotOf(ref: AnyActorRef): unknown {
  return (ref as unknown as Internals)._snapshot;
}

/**
 * Gives the system of a root that has not started the timers that a hosted system has. XState's own scheduler walks the timers
 * of all its actors whenever one of them stops, and in the host's system each restart and each wait for a thread is one.
 */
export function keepTimersByActor(root: AnyActorRef, clock: ActorClock): void {
  const system = root.system as unknown as {
    scheduler: Pick<Scheduler, 'schedule' | 'cancel' | 'cancelAll'>;
    _relay(source: AnyActorRef, target: AnyActorRef, event: AnyEventObject): void;
  };
  system.scheduler = new Scheduler(clock, system);
}

/** Creates an actor under a parent that need not know it. */
export function createChild(
  logic: AnyActorLogic,
  options: { readonly id: string; readonly parent: AnyActorRef; readonly input?: unknown },
): AnyActor {
  return createActor(logic, { ...options }) as AnyActor;
}
