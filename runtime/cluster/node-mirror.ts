import { type AnyActorRef, createActor, type Subscription } from 'xstate';
import { createTwinLogic, TwinSnapshot, type TwinState, UnknownSnapshot } from '../../actors/twin.ts';
import type { Clock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { stateFrom } from '../instance/mirrored-state.ts';
import type { StreamSeat, Waiting } from '../mailbox/waiting.ts';
import { restoreErrors } from '../wire/errors-within.ts';
import { isErrorsWithin, isEvent, isPlain, isWireSnapshot } from '../wire/shapes.ts';
import type { WireSnapshot } from '../wire/snapshot.ts';
import { emitFrom, putSnapshot, watchObservers } from '../xstate/xstate5.ts';
import type { Call } from './messages.ts';
import type { MirrorWants } from './mirror-source.ts';
import type { LinkWait, PartReader } from './node-link.ts';
import { Wants } from './wants.ts';

export interface NodeMirrorOptions {
  readonly address: string;
  readonly clock: Clock;
  /** Asks the node that has the instance. */
  readonly call: (call: Call, wait: LinkWait) => Promise<unknown>;
  /** Those who wait for the answers. */
  readonly waiting: Pick<Waiting, 'hold'>;
  /** So many of the events that the instance emitted were left out, because they could not be told as fast as they came. */
  readonly leftOut: (count: number) => void;
  readonly warn: (fields: object, message: string) => void;
  /** An observer threw, or nobody handles the error with which the instance ended. */
  readonly observed: (error: unknown, what: 'observer' | 'actor') => void;
  /** The first observer has come. */
  readonly used: (mirror: NodeMirror) => void;
  /** The last observer has gone, or the instance has ended. */
  readonly unused: (mirror: NodeMirror) => void;
}

/** Milliseconds in which a node has to begin to tell: as long as an ask may take. */
const BEGIN_MS = 5000;
/** Milliseconds for which a node is looked for before observers hear that there is none: three times the longest lock of a lost one. */
const REACH_MS = 60_000;
/** Milliseconds between two tries, and the most, twice as many each time. */
const RETRY_MS = 100;
const MOST_RETRY_MS = 1000;
/** Parts, and bytes of them, after which their writer hears that they were taken: a fourth of what may be under way. */
const TAKEN_PARTS = 16;
const TAKEN_BYTES = 64 * 1024;

interface Observed {
  subscribe: (this: void, ...args: unknown[]) => Subscription;
  on: (this: void, ...args: unknown[]) => Subscription;
}

const nobody = createTwinLogic({ created() {}, started() {}, stopped() {} });

/**
 * What is known here of an instance on another node, for those who observe it: an actor that shows its states, emits what it emits,
 * and ends with it. It follows the instance from node to node, as long as somebody observes.
 */
export class NodeMirror {
  /** Who observes it observes the instance. */
  readonly actor: AnyActorRef;
  readonly #options: NodeMirrorOptions;
  readonly #wants = new Wants();
  #following: AbortController | undefined;
  #isOver = false;
  /** Somebody wants states. */
  #isWatched = false;
  /** Somebody who wants states has come just now. */
  #isWatchedAnew = false;
  #observers = 0;
  #listeners = 0;

  constructor(options: NodeMirrorOptions) {
    this.#options = options;
    this.actor = createActor(nobody).start();
    // XState throws an error that no observer takes.
    this.actor.subscribe({ error() {} });
    watchObservers(
      this.actor,
      (watched) => (this.#isWatched = this.#isWatchedAnew = watched),
      options.observed,
      (snapshot) => !(snapshot instanceof UnknownSnapshot),
    );
    const observed = this.actor as unknown as Observed;
    const { subscribe, on } = observed;
    observed.subscribe = (...args) => this.#counted(subscribe(...args), (by) => (this.#observers += by));
    observed.on = (...args) => this.#counted(on(...args), (by) => (this.#listeners += by));
  }

  #counted(subscription: Subscription, count: (by: 1 | -1) => void): Subscription {
    let isCounted = true;
    count(1);
    this.#observe();
    return {
      unsubscribe: () => {
        subscription.unsubscribe();
        if (!isCounted) return;
        isCounted = false;
        count(-1);
        this.#observe();
      },
    };
  }

  /** The instance has ended: whoever observes it again observes another one. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** This node follows nothing any more: for observers the instance is one that was stopped. */
  close(): void {
    this.#ended({ type: 'xstate.stop' });
  }

  #observe(): void {
    const isWatchedAnew = this.#isWatchedAnew;
    this.#isWatchedAnew = false;
    if (this.#isOver) return;
    if (this.#observers + this.#listeners === 0) return this.#leave();
    const wanted: MirrorWants = { states: this.#isWatched, events: this.#listeners > 0 };
    const before = this.#following && (this.#wants.value as MirrorWants);
    if (before === undefined) {
      this.#following = new AbortController();
      this.#wants.become(wanted);
      this.#options.used(this);
      void this.#follow(this.#following.signal);
    } else if (before.states !== wanted.states || before.events !== wanted.events) this.#wants.become(wanted);
    // Who comes later gets the current state too.
    else if (isWatchedAnew) queueMicrotask(() => this.#tell({}));
  }

  #leave(): void {
    this.#following?.abort();
    this.#following = undefined;
    this.#wants.changed = undefined;
    this.#options.unused(this);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { clock, address, warn } = this.#options;
    let [until, pauseMs] = [clock.now() + REACH_MS, RETRY_MS];
    const begun = (): void => {
      [until, pauseMs] = [Infinity, RETRY_MS];
    };
    for (;;)
      try {
        const last = await this.#followed(signal, begun);
        if (!signal.aborted) this.#end(last);
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (until === Infinity) {
          until = clock.now() + REACH_MS;
          if ((this.#wants.value as MirrorWants).events)
            warn(
              { address, error },
              'what an instance on another node emits is not heard until its node is reached again',
            );
        }
        if (!isPassing(error) || clock.now() >= until) return this.#failed(error);
        await this.#pause(pauseMs, signal);
        if (signal.aborted) return;
        pauseMs = Math.min(2 * pauseMs, MOST_RETRY_MS);
      }
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const over = (): void => {
        clock.clearTimeout(timer);
        signal.removeEventListener('abort', over);
        resolve();
      };
      const timer = clock.setTimeout(over, ms);
      clock.unref?.(timer);
      signal.addEventListener('abort', over);
    });
  }

  /** Follows the instance on one node; resolves with its last state. */
  async #followed(signal: AbortSignal, begun: () => void): Promise<WireSnapshot> {
    const { address, call, waiting } = this.#options;
    let tag = 0;
    let [parts, bytes] = [0, 0];
    const stream: PartReader = {
      begun: false,
      opened: (opened) => void (tag = opened),
      seated() {},
      take: (seat: StreamSeat, [part], _told, size) => {
        parts += 1;
        bytes += size;
        if (parts >= TAKEN_PARTS || bytes >= TAKEN_BYTES) {
          seat.credit(tag, parts);
          [parts, bytes] = [0, 0];
        }
        // It may take as long as the instance lives.
        waiting.hold(tag);
        begun();
        return signal.aborted ? undefined : this.#take(part);
      },
    };
    const wait: LinkWait = { timeoutMs: BEGIN_MS, signal, stream, wants: this.#wants };
    const last = await call({ kind: 'mirror', address }, wait);
    if (isWireSnapshot(last)) return last;
    throw new HoldfastError(
      'NODE_UNREACHABLE',
      `the node of ${address} gave what is no snapshot; have all nodes run the same version`,
    );
  }

  /** Returns what is wrong with a part, if anything is. */
  #take(part: unknown): string | undefined {
    const { state, ahead, event, errors, left }: Record<string, unknown> = isPlain(part) ? part : {};
    if (isEvent(event)) {
      const whole = isErrorsWithin(errors) ? restoreErrors(event, errors) : event;
      emitFrom(this.actor, whole as typeof event);
    } else if (isWireSnapshot(ahead)) {
      const known = this.actor.getSnapshot() as TwinState;
      putSnapshot(this.actor, new TwinSnapshot({ ...known, ...stateFrom(ahead) }));
    } else if (typeof left === 'number') this.#options.leftOut(left);
    else if (isWireSnapshot(state)) this.#tell(stateFrom(state));
    else if (isPlain(part)) {
      if (part['begun'] !== true) this.#tell({});
    } else return 'it mirrors what is no part of a mirror';
    return undefined;
  }

  #tell(state: Partial<TwinState>): void {
    const isUnknown = this.actor.getSnapshot() instanceof UnknownSnapshot;
    if (!this.#isOver && !(isUnknown && Object.keys(state).length === 0))
      this.actor.send({ type: 'holdfast.mirror', state });
  }

  #end(last: WireSnapshot): void {
    const state = stateFrom(last);
    if (last.status === 'done') this.#ended({ type: 'holdfast.done', output: state.output, state });
    else if (last.status === 'error') this.#ended({ type: 'holdfast.failed', error: state.error, state });
    else this.close();
  }

  #failed(error: unknown): void {
    const isStopped = error instanceof HoldfastError && error.code === 'RUNTIME_STOPPED';
    if (isStopped) this.close();
    else this.#ended({ type: 'holdfast.failed', error });
  }

  #ended(last: { readonly type: string; readonly [key: string]: unknown }): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#leave();
    if (last.type === 'holdfast.failed' && this.#observers === 0)
      this.#options.observed(last['error'], 'actor');
    if (last.type === 'xstate.stop') this.actor.stop();
    else this.actor.send(last);
  }
}

/** Whether the instance may be reached later, on that node or on another. */
function isPassing(error: unknown): boolean {
  return error instanceof HoldfastError && error.retryable;
}
