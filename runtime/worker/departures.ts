import { HoldfastError } from '../base/errors.ts';
import { isClonable } from '../wire/errors.ts';
import { whyUnclonable } from '../wire/unclonable.ts';
import type { CarriedAsk, Departed } from '../wire/protocol.ts';
import type { ActorClock } from '../xstate/actor-clock.ts';
import { eventLoop, type EventLoop } from './event-loop.ts';
import type { HostedInstance } from './hosted-instance.ts';

/** Milliseconds between two checks whether the instances may go. */
const LOOK_MS = 20;
/** The same after the first check, which asks other threads what they have handled. */
const FIRST_LOOK_MS = 1;
/**
 * The longest time that an instance is held, in milliseconds: half of what an ask waits by default. Its work may be
 * waiting for an event from outside.
 */
const HOLD_MS = 2500;

/**
 * Milliseconds for an instance whose stream was ended to come to a state in which it can move: a part of what the host
 * waits for those that go at once.
 */
const AFTER_STREAMS_MS = 300;

export interface DeparturesOptions {
  readonly clock: ActorClock;
  readonly loop?: EventLoop | undefined;
  /** Whether an event of the instance is not handled yet, or an ask is still on its way through it. */
  readonly isBusy: (instance: HostedInstance) => boolean;
  /** Stops the handling of envelopes. */
  readonly pause: (instance: HostedInstance) => void;
  /** Resumes the handling of envelopes. */
  readonly goOn: (instance: HostedInstance) => void;
  /**
   * The put-off asks that go with the instance; undefined when another agent asked one of them, and so waits for this
   * thread.
   */
  readonly asksOf: (instance: HostedInstance) => readonly CarriedAsk[] | undefined;
  /** Ends the streams that the instance writes, which cannot go with it; returns whether there were any. */
  readonly endStreams: (instance: HostedInstance) => boolean;
  /** Lets the instance go, with what it has put off. */
  readonly leave: (instance: HostedInstance) => void;
}

interface Departure {
  /** Until then the instance handles no envelope while it is not ready. */
  readonly holdUntil: number;
  /** Called without a state when the instance does not go. */
  readonly settle: (state?: Departed) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Lets the instances of a thread that is to be replaced go to others, together, at a moment at which none of them
 * loses or repeats anything: no child is at work that would begin anew, no ask of another agent is put off, and all
 * that was sent has been handled. An instance that is not ready may be held for a while: it handles no envelope, so
 * that nothing new begins, unless it may need one to answer what it has put off. An instance that is ready goes on
 * until all go.
 */
export class Departures {
  readonly #options: DeparturesOptions;
  readonly #loop: EventLoop;
  readonly #waiting = new Map<HostedInstance, Departure>();
  #looking = false;

  constructor(options: DeparturesOptions) {
    this.#options = options;
    this.#loop = options.loop ?? eventLoop;
  }

  /**
   * Resolves with the state from which the instance continues when it has left; with nothing when it ended before that
   * or stays. Rejects when its state cannot be persisted, and then it stays. A later call for the same instance
   * replaces an earlier one.
   */
  depart(instance: HostedInstance, hold: boolean): Promise<Departed | undefined> {
    return new Promise((settle, fail) => {
      this.#waiting.get(instance)?.settle();
      const holdUntil = hold ? this.#loop.now() + HOLD_MS : 0;
      this.#waiting.set(instance, { holdUntil, settle, fail });
      if (this.#looking) return;
      this.#looking = true;
      // After the other instances that are asked for in the same turn of the event loop.
      this.#loop.immediate(() => this.#look(FIRST_LOOK_MS));
    });
  }

  /**
   * Lets the instances that are ready go now; the others stay. Their streams end, which may last for hours; one that only
   * wrote a stream has a moment to end what it was doing for that.
   */
  hurry(): void {
    let streamed = false;
    for (const instance of this.#waiting.keys()) if (this.#options.endStreams(instance)) streamed = true;
    if (!streamed) return this.#goOrStay();
    this.#options.clock.setTimeout(() => this.#goOrStay(), AFTER_STREAMS_MS);
  }

  #goOrStay(): void {
    for (const [instance, { settle }] of this.#waiting) {
      if (this.#isReady(instance)) {
        this.#go(instance);
      } else {
        this.#waiting.delete(instance);
        settle();
      }
    }
  }

  /** Cancels the departure of an instance. */
  stay(instance: HostedInstance): void {
    this.left(instance);
    this.#options.goOn(instance);
  }

  /** Forgets an instance that has ended. */
  left(instance: HostedInstance): void {
    const departure = this.#waiting.get(instance);
    this.#waiting.delete(instance);
    departure?.settle();
  }

  #look(nextMs: number): void {
    this.#looking = false;
    const { clock, pause, goOn } = this.#options;
    const ready = new Set([...this.#waiting.keys()].filter((instance) => this.#isReady(instance)));
    if (ready.size === this.#waiting.size) {
      for (const instance of ready) this.#go(instance);
      return;
    }
    const now = this.#loop.now();
    for (const [instance, { holdUntil }] of this.#waiting) {
      if (now >= holdUntil || ready.has(instance) || instance.putOffs > 0) goOn(instance);
      else pause(instance);
    }
    this.#looking = true;
    clock.setTimeout(() => this.#look(LOOK_MS), nextMs);
  }

  #isReady(instance: HostedInstance): boolean {
    const { isBusy, asksOf } = this.#options;
    return asksOf(instance) !== undefined && !isBusy(instance) && instance.movable() === true;
  }

  #go(instance: HostedInstance): void {
    const departure = this.#waiting.get(instance);
    this.#waiting.delete(instance);
    try {
      const state = instance.persist();
      // Checked before the instance leaves, after which it would be too late.
      if (!isClonable(state)) throw unclonableState(instance.address, state);
      const asks = this.#options.asksOf(instance) ?? [];
      this.#options.leave(instance);
      departure?.settle(asks.length === 0 ? state : { ...state, asks });
    } catch (error) {
      this.#options.goOn(instance);
      departure?.fail(error);
    }
  }
}

function unclonableState(address: string, state: unknown): HoldfastError {
  return new HoldfastError(
    'REPLY_UNCLONABLE',
    `${address} cannot move: its state cannot be cloned (${whyUnclonable(state)}); keep functions, actors of elsewhere and sockets out of it`,
  );
}
