import { isDeepStrictEqual } from 'node:util';
import type { AnyActorRef } from 'xstate';
import type { Clock } from '../base/clock.ts';
import { callUser } from '../base/user-call.ts';
import type { InspectionCounts } from '../telling/status.ts';
import type { Scrubber } from '../secrets/scrub/scrubber.ts';
import {
  INSPECT_VERSION,
  ROOT_ID,
  isInspection,
  type InspectedState,
  type InspectionEvent,
  type Naming,
  type Shown,
} from '../wire/inspection.ts';
import { InspectionFeed } from '../wire/inspection-feed.ts';
import { isCount } from '../wire/shapes.ts';
import { isInspectionEvent } from './inspection-shape.ts';
import { pathsWithin } from '../xstate/family.ts';
import { isTwin } from '../instance/twins.ts';
import type { InspectedThread, ThreadInspection } from '../threads/thread-inspection.ts';
import { parentOf } from '../xstate/xstate5.ts';

/** Where inspection events go: an adapter of `@statelyai/inspect`, or a function of one's own in its shape. */
export interface InspectorAdapter {
  start?(): void;
  stop?(): void;
  send(event: InspectionEvent): void;
}

export interface InspectOptions {
  /** Gets every event. Default: none. */
  readonly adapter?: InspectorAdapter;
  /** Which agents are inspected. Default: all of them. */
  readonly filter?: (agent: { readonly agent: string; readonly threadId: string }) => boolean;
}

export interface InspectionHubOptions extends InspectOptions {
  readonly clock: Clock;
  readonly scrub: Scrubber['scrub'];
  readonly warn: (fields: object, message: string) => void;
  /** The address of the instance that a twin stands for. */
  readonly addressOf: (twin: AnyActorRef) => string | undefined;
  readonly poolActor: (threadId: string) => string;
  /** The pool of the agent at an address, whether or not anything runs there. */
  readonly poolOf: (address: string) => string | undefined;
  /** Actors that are remembered. Default: 50,000. */
  readonly most?: number;
  /** Milliseconds, for the budget. Default: `performance.now`. */
  readonly now?: () => number;
}

interface Known {
  readonly actor: InspectionEvent & { readonly type: '@xstate.actor' };
  last: (InspectionEvent & { readonly type: '@xstate.snapshot' }) | undefined;
  /** Milliseconds since the epoch: the first that was told of the state value that it has. */
  since: number;
}

/** An actor that runs, as it was told of last, with the values of secrets. */
export interface KnownActor {
  readonly id: string;
  readonly name: string;
  readonly parentId: string | undefined;
  readonly isInstance: boolean;
  readonly definition: string | undefined;
  readonly state: InspectedState;
  /** Milliseconds since the epoch: since when it is known to have its state value. */
  readonly since: number;
}

/** Of each 100 ms of the host so many go into taking what threads show; who shows more waits, and shows less. */
const windowMs = 100;
const budgetMs = 8;
/** Milliseconds that it waits at most. */
const longestWait = 1000;
/** Actors that are remembered for those who come later, and told of. */
const mostKnown = 50_000;

/**
 * One tree of all actors of a runtime, wherever they run, as the stock inspector understands it: the supervisor, its pools
 * and threads, the secrets, and below each thread the instances that it has, with their children.
 */
export class InspectionHub implements ThreadInspection {
  readonly #options: InspectionHubOptions;
  readonly #known = new Map<string, Known>();
  /** The ids of the same, by the instance that they belong to, each behind its parent. */
  readonly #byInstance = new Map<string, Set<string>>();
  readonly #listeners = new Set<(events: readonly Shown[]) => void>();
  #passed = 0;
  #sampled = 0;
  #unknown = 0;
  #from = -Infinity;
  #spent = 0;
  /** Those wait for it who are to show less. */
  #room:
    | { readonly promise: Promise<void>; readonly resolve: () => void; readonly timer: unknown }
    | undefined;
  #made = 0;
  #warned = false;
  #stopped = false;

  constructor(options: InspectionHubOptions) {
    this.#options = options;
    const { adapter } = options;
    if (adapter === undefined) return;
    this.listen((events) => {
      for (const event of events.filter(isInspection))
        callUser(() => adapter.send(event) as unknown, this.#failed);
    });
    callUser(() => adapter.start?.() as unknown, this.#failed);
  }

  get counts(): InspectionCounts {
    return { passed: this.#passed, sampled: this.#sampled };
  }

  wants(agent: { readonly name: string; readonly threadId: string }): boolean {
    const { filter } = this.#options;
    if (filter === undefined) return true;
    return callUser(() => filter({ agent: agent.name, threadId: agent.threadId }), this.#failed) === true;
  }

  /** Hears every batch from now on. Returns the end of it. */
  listen(listener: (events: readonly Shown[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * What one who comes now has to know: all actors that live, each behind its parent, with its last state; or those of
   * `ids` alone.
   */
  replay(ids?: Iterable<string>): InspectionEvent[] {
    const wanted =
      ids === undefined ? [...this.#known.values()] : Array.from(ids, (id) => this.#known.get(id));
    return wanted.flatMap((known) => {
      if (known === undefined) return [];
      const { actor, last } = known;
      return (last === undefined ? [actor] : [actor, last]).map((event) => this.#options.scrub(event));
    });
  }

  /** All actors that run. Nothing of it is to be told, or compared with what somebody asks for, before it is scrubbed. */
  *actors(): Generator<KnownActor, void> {
    for (const [id, known] of this.#known) yield knownActor(id, known);
  }

  /** One of them; undefined: it is not there. */
  actor(id: string): KnownActor | undefined {
    const known = this.#known.get(id);
    return known && knownActor(id, known);
  }

  /** Actors that were not remembered, since there were so many. */
  get unknown(): number {
    return this.#unknown;
  }

  /** Without the values of secrets. */
  scrub<T>(value: T): T {
    return this.#options.scrub(value);
  }

  /** Shows the runtime's own actors, those that there are and those that come. */
  watch(supervisor: AnyActorRef): void {
    const { clock, addressOf } = this.#options;
    const naming: Naming = {
      rootId: ROOT_ID,
      idOf: (ref) => (ref === supervisor ? ROOT_ID : (addressOf(ref) ?? this.#idBelow(ref, naming))),
      nameOf: ({ id }) => id,
      parentIdOf(ref) {
        const parent = parentOf(ref);
        return parent && naming.idOf(parent);
      },
      nextId: () => this.#nextId(),
      date: () => clock.date(),
    };
    const inspection = new InspectionFeed({
      loop: { immediate: (run) => void setImmediate(run) },
      clock,
      now: () => performance.now(),
      send: async (events, sampled) => this.#take(events, sampled),
    });
    // A twin stands for an actor that shows itself.
    const isOwn = (ref: AnyActorRef): boolean => !isTwin(ref) && naming.idOf(ref) !== undefined;
    for (const [actorRef] of pathsWithin(supervisor))
      if (isOwn(actorRef)) inspection.observe({ type: '@xstate.actor', actorRef }, naming);
    supervisor.system.inspect((told) => {
      if (!this.#stopped && isOwn(told.actorRef as AnyActorRef)) inspection.observe(told as never, naming);
    });
  }

  #idBelow(ref: AnyActorRef, naming: Naming): string | undefined {
    const parent = parentOf(ref);
    const above = parent && naming.idOf(parent);
    return above === undefined ? undefined : `${above}/${ref.id}`;
  }

  /**
   * From a thread, which may send anything. `false`: some of it is not to be shown, for nobody could read it, or for it tells of
   * actors that other threads have.
   */
  fromThread(thread: InspectedThread, events: unknown, sampled: unknown): boolean {
    if (this.#stopped) return true;
    if (!Array.isArray(events) || !isCount(sampled)) return false;
    const parentId = `${ROOT_ID}/${this.#options.poolActor(thread.threadId)}/thread:${thread.n}`;
    const holdfast = { threadId: thread.threadId, thread: thread.name };
    const place = (event: Shown): Shown =>
      event.type === '@xstate.actor' && event.parentId === undefined
        ? { ...event, parentId, holdfast }
        : event;
    const { poolOf } = this.#options;
    const isOwn = (id: string | undefined): boolean => id !== undefined && poolOf(id) === thread.threadId;
    // A thread speaks for its own pool only; what it has sent to others is its own, too.
    const speaksOfItself = (event: Shown): boolean =>
      event.type === '@xstate.event' && isOwn(event.sourceId)
        ? true
        : isOwn(event.sessionId) &&
          (event.type !== '@xstate.actor' || event.parentId === undefined || isOwn(event.parentId));
    const placed: Shown[] = [];
    let left = 0;
    // A list that was made up may have four thousand million holes; it ends with the first.
    let read = 0;
    for (; isInspectionEvent(events[read]); read += 1) {
      const event = events[read] as Shown;
      if (speaksOfItself(event)) placed.push(place(event));
      else left += 1;
    }
    const began = this.#now();
    // What was spent beyond the budget is not over with the window.
    if (began - this.#from >= windowMs * Math.max(1, this.#spent / budgetMs))
      [this.#from, this.#spent] = [began, 0];
    this.#take(placed, sampled);
    this.#spent += this.#now() - began;
    return read === events.length && left === 0;
  }

  /**
   * Resolves when a thread may show more; undefined: at once. What was shown at once is paid for later, so that in the middle the
   * budget is kept, however large a batch is.
   */
  room(): Promise<void> | undefined {
    if (this.#spent < budgetMs || this.#stopped) return undefined;
    const left = this.#from + (windowMs * this.#spent) / budgetMs - this.#now();
    if (left <= 0) return undefined;
    if (this.#room === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = this.#options.clock.setTimeout(() => this.#open(), Math.min(left, longestWait));
      this.#room = { promise, resolve, timer };
    }
    return this.#room.promise;
  }

  /**
   * An instance has ended, with `error`, which JSON can hold, if it failed for good, or begins anew, and its thread may be
   * gone: nothing of it goes on.
   */
  ended(address: string, error?: object): void {
    const below = [...(this.#byInstance.get(address) ?? [])];
    this.#take(
      below.toReversed().map((sessionId) => ({
        type: '@xstate.snapshot',
        rootId: ROOT_ID,
        sessionId,
        createdAt: String(this.#options.clock.date()),
        id: this.#nextId(),
        _version: INSPECT_VERSION,
        event: { type: 'xstate.stop' },
        snapshot:
          error !== undefined && sessionId === address
            ? { status: 'error', output: undefined, error }
            : { status: 'stopped', output: undefined, error: undefined },
      })),
      0,
    );
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#options.clock.clearTimeout(this.#room?.timer);
    this.#open();
    callUser(() => this.#options.adapter?.stop?.() as unknown, this.#failed);
    this.#listeners.clear();
    this.#known.clear();
    this.#byInstance.clear();
  }

  #open(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  #now(): number {
    return this.#options.now?.() ?? performance.now();
  }

  #nextId(): string {
    return `host:${(this.#made += 1)}`;
  }

  #take(events: readonly Shown[], sampled: number): void {
    this.#sampled += sampled;
    // An event never comes before its actor; what belongs to one that has ended comes too late.
    const shown = events.filter((event) => this.#remember(event));
    this.#passed += shown.length;
    if (shown.length === 0 || this.#listeners.size === 0) return;
    const clean = shown.map((event) => this.#options.scrub(event));
    for (const listener of this.#listeners) callUser(() => listener(clean), this.#failed);
  }

  /** Told once: it may fail with each event. */
  readonly #failed = (error: unknown): void => {
    if (!this.#warned) this.#options.warn({ error }, 'an inspector threw; it may have missed events');
    this.#warned = true;
  };

  /** Whether it is to be shown. */
  #remember(event: Shown): boolean {
    const { sessionId } = event;
    if (event.type === '@xstate.actor') {
      if (this.#known.size >= (this.#options.most ?? mostKnown) && !this.#known.has(sessionId)) {
        this.#unknown += 1;
        return false;
      }
      // Anew at the end: behind its parent, wherever that is now.
      this.#forget(sessionId);
      this.#known.set(sessionId, { actor: event, last: undefined, since: Number(event.createdAt) });
      const instance = instanceOf(sessionId);
      const below = this.#byInstance.get(instance);
      if (below === undefined) this.#byInstance.set(instance, new Set([sessionId]));
      else below.add(sessionId);
      return true;
    }
    const known = this.#known.get(sessionId);
    if (known === undefined) return false;
    if (event.type === '@xstate.event' || event.type === '@holdfast.log') return true;
    const { status, value } = (event.snapshot ?? {}) as { status?: unknown; value?: unknown };
    if (!isDeepStrictEqual(value, (known.last?.snapshot ?? known.actor.snapshot)?.value))
      known.since = Number(event.createdAt);
    known.last = event;
    if (status !== undefined && status !== 'active') this.#forget(sessionId);
    return true;
  }

  #forget(sessionId: string): void {
    if (!this.#known.delete(sessionId)) return;
    const instance = instanceOf(sessionId);
    const below = this.#byInstance.get(instance);
    below?.delete(sessionId);
    if (below?.size === 0) this.#byInstance.delete(instance);
  }
}

function knownActor(id: string, { actor, last, since }: Known): KnownActor {
  const { name, parentId, definition, holdfast, snapshot } = actor;
  const isInstance = holdfast !== undefined;
  return { id, name, parentId, isInstance, definition, state: last?.snapshot ?? snapshot, since };
}

/** The address that the id of an actor begins with: that of its instance, `agent/id`, if it has one. */
function instanceOf(sessionId: string): string {
  const end = sessionId.indexOf('/', sessionId.indexOf('/') + 1);
  return end === -1 ? sessionId : sessionId.slice(0, end);
}
