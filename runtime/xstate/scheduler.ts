import type { AnyActorRef, AnyEventObject } from 'xstate';
import { LONGEST_TIMER_MS } from '../base/clock.ts';
import type { ActorClock } from './actor-clock.ts';

/** A timer that has not come yet. */
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

/** Delays and cancels events as XState's own scheduler does, and can say what it has not sent yet. */
export class Scheduler {
  readonly #clock: ActorClock;
  readonly #relay: (source: AnyActorRef, target: AnyActorRef, event: AnyEventObject) => void;
  /** Those that can be cancelled: of each id the one that was set last. */
  readonly #timers = new Map<AnyActorRef, Map<string, Timer>>();
  /** In the order in which they were set. */
  readonly #waiting = new Set<Timer>();
  #closed = false;

  constructor(
    clock: ActorClock,
    relay: (source: AnyActorRef, target: AnyActorRef, event: AnyEventObject) => void,
  ) {
    this.#clock = clock;
    this.#relay = relay;
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

  /** The timer comes after `waitMs`, whatever its whole delay is. */
  arm(scheduled: Scheduled, waitMs: number): void {
    this.#set({ ...scheduled, handle: undefined }, waitMs);
  }

  #set(timer: Timer, waitMs: number): void {
    if (this.#closed) return;
    const { source, id } = timer;
    let own = this.#timers.get(source);
    if (own === undefined) this.#timers.set(source, (own = new Map()));
    own.set(id, timer);
    this.#waiting.add(timer);
    this.#wait(timer, waitMs, own);
  }

  cancel(source: AnyActorRef, id: string): void {
    const own = this.#timers.get(source);
    const timer = own?.get(id);
    if (timer === undefined) return;
    own?.delete(id);
    this.#drop(timer);
  }

  cancelAll(source: AnyActorRef): void {
    for (const timer of this.#timers.get(source)?.values() ?? []) this.#drop(timer);
    this.#timers.delete(source);
  }

  /** Nothing comes any more, also of those whose id a later one took. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#waiting) this.#drop(timer);
    this.#timers.clear();
  }

  /** Milliseconds since the epoch. */
  now(): number {
    return this.#clock.date?.() ?? Date.now();
  }

  /** What has not come yet, in the order in which it was set. */
  get waiting(): Scheduled[] {
    return [...this.#waiting];
  }

  #drop(timer: Timer): void {
    this.#waiting.delete(timer);
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
      // As in XState, also when a later one of the same id stands there: that cannot be cancelled any more.
      own.delete(timer.id);
      this.#waiting.delete(timer);
      this.#relay(timer.source, timer.target, timer.event);
    }, ms);
  }
}
