import type { AnyActorRef, AnyEventObject } from 'xstate';
import { LONGEST_TIMER_MS } from '../base/clock.ts';
import type { ActorClock } from './actor-clock.ts';

/** A timer that is not due yet. */
export interface Scheduled {
  readonly source: AnyActorRef;
  readonly target: AnyActorRef;
  readonly event: AnyEventObject;
  readonly id: string;
  /** The whole delay, in milliseconds. */
  readonly delayMs: number;
  /** Milliseconds since the epoch. */
  readonly dueAt: number;
}

interface Timer extends Scheduled {
  handle: unknown;
}

/** The actor system whose events are delayed. */
export interface TimedSystem {
  _relay(source: AnyActorRef, target: AnyActorRef, event: AnyEventObject): void;
}

/** Delays and cancels events as XState's own scheduler does, and can list the events that it has not sent yet. */
export class Scheduler {
  readonly #clock: ActorClock;
  readonly #system: TimedSystem;
  /** The timers that can be cancelled: of each id the one that was set last. Exists from the first timer on. */
  #timers: Map<AnyActorRef, Map<string, Timer>> | undefined;
  /** All timers that are not due yet, in the order in which they were set. Exists from the first one on. */
  #waiting: Set<Timer> | undefined;
  #closed = false;
  #changes = 0;

  constructor(clock: ActorClock, system: TimedSystem) {
    this.#clock = clock;
    this.#system = system;
  }

  schedule(
    source: AnyActorRef,
    target: AnyActorRef,
    event: AnyEventObject,
    delayMs: number,
    id: string = Math.random().toString(36).slice(2),
  ): void {
    const dueAt = this.now() + delayMs;
    this.#set({ source, target, event, id, delayMs, dueAt, handle: undefined }, delayMs);
  }

  /** Sets a timer that comes after `waitMs`, whatever its whole delay is. */
  arm(scheduled: Scheduled, waitMs: number): void {
    this.#set({ ...scheduled, handle: undefined }, waitMs);
  }

  #set(timer: Timer, waitMs: number): void {
    if (this.#closed) return;
    const { source, id } = timer;
    const timers = (this.#timers ??= new Map());
    let own = timers.get(source);
    if (own === undefined) timers.set(source, (own = new Map()));
    own.set(id, timer);
    (this.#waiting ??= new Set()).add(timer);
    this.#changes += 1;
    this.#wait(timer, waitMs, own);
  }

  cancel(source: AnyActorRef, id: string): void {
    const own = this.#timers?.get(source);
    const timer = own?.get(id);
    if (timer === undefined) return;
    own?.delete(id);
    this.#drop(timer);
  }

  cancelAll(source: AnyActorRef): void {
    for (const timer of this.#timers?.get(source)?.values() ?? []) this.#drop(timer);
    this.#timers?.delete(source);
  }

  /** Cancels all timers, including those whose id a later one took. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#waiting ?? []) this.#drop(timer);
    this.#timers = undefined;
  }

  /** Milliseconds since the epoch. */
  now(): number {
    return this.#clock.date?.() ?? Date.now();
  }

  /** The timers that are not due yet, in the order in which they were set. */
  get waiting(): Scheduled[] {
    return [...(this.#waiting ?? [])];
  }

  /** How often a timer was set, cancelled or due. */
  get changes(): number {
    return this.#changes;
  }

  #drop(timer: Timer): void {
    this.#waiting?.delete(timer);
    this.#changes += 1;
    this.#clock.clearTimeout(timer.handle);
  }

  #wait(timer: Timer, ms: number, own: Map<string, Timer>): void {
    if (ms > LONGEST_TIMER_MS) {
      timer.handle = this.#clock.setTimeout(
        () => this.#wait(timer, ms - LONGEST_TIMER_MS, own),
        LONGEST_TIMER_MS,
      );
      return;
    }
    timer.handle = this.#clock.setTimeout(() => {
      // Deleted as in XState, even when a later timer of the same id stands there: that one can no longer be
      // cancelled.
      own.delete(timer.id);
      this.#waiting?.delete(timer);
      this.#changes += 1;
      this.#system._relay(timer.source, timer.target, timer.event);
    }, ms);
  }
}
