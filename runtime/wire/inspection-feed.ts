import type { AnyActorRef } from 'xstate';
import { toInspection, toLogLine, type LogLine, type Naming, type Shown } from './inspection.ts';
import type { Inspected } from '../xstate/inspected.ts';
import { snapshotOf } from '../xstate/xstate5.ts';
import type { Clock } from '../base/clock.ts';

/** The budget for showing actors: so many of each 100 ms. Beyond it only latest states are shown, a moment later. */
const windowMs = 100;
const budgetMs = 8;
/**
 * The most events on their way at one time, including batches that the host has not taken: the host may be slow, but
 * the agents are not.
 */
const mostWaiting = 1_000;
const mostUntaken = 4;
/** The least time between two batches, in milliseconds: a batch has its cost, however little is in it. */
const paceMs = 10;

export interface InspectionFeedOptions {
  readonly loop: {
    /** Runs a function after what is due now. */
    immediate(run: () => void): void;
  };
  readonly clock: Pick<Clock, 'setTimeout'>;
  /** Milliseconds, for the budget. */
  readonly now: () => number;
  /** Resolves when the host has taken the events. */
  readonly send: (events: readonly Shown[], sampled: number) => Promise<unknown>;
}

/**
 * Shows inspectors of the runtime what actors do; one feed for each thread, and one for the host. An event is
 * converted at once, because its snapshot is that of the moment, and leaves in a batch. The feed never takes so much
 * time that agents would notice.
 */
export class InspectionFeed {
  readonly #options: InspectionFeedOptions;
  #events: Shown[] = [];
  /** Actors of which only the latest state is still to be shown. */
  readonly #behind = new Map<AnyActorRef, Naming>();
  /** Actors that were shown and have not ended, because XState does not announce one that is stopped. */
  readonly #shown = new Map<AnyActorRef, Naming>();
  #sampled = 0;
  #untaken = 0;
  #armed = false;
  #sentAt = -Infinity;
  #windowFrom = -Infinity;
  #spent = 0;
  /** The budget is spent, or enough events wait: no clock is read until something has left. */
  #isFull = false;

  constructor(options: InspectionFeedOptions) {
    this.#options = options;
  }

  /** Never throws, because an actor must not fail from being observed. */
  observe(told: Inspected, naming: Naming): void {
    const { type, actorRef } = told;
    if (type !== '@xstate.actor' && type !== '@xstate.event' && type !== '@xstate.snapshot') return;
    try {
      // An actor itself is always shown, because the rest makes no sense without it.
      if (type !== '@xstate.actor' && (this.#isFull || this.#hasNoRoom())) {
        this.#sampled += 1;
        if (type === '@xstate.snapshot') this.#behind.set(actorRef, naming);
        // Left-out events are reported when there is room again.
        if (this.#armed) return;
      } else this.#convert(told, naming);
    } catch {
      this.#sampled += 1;
    }
    this.#arm();
  }

  /** Shows a line that an agent wrote to the log, if there is room: the log has it in any case. Never throws. */
  log(line: Pick<LogLine, 'sessionId' | 'level' | 'message' | 'fields'>, naming: Naming): void {
    try {
      if (this.#isFull || this.#hasNoRoom()) this.#sampled += 1;
      else {
        const began = this.#options.now();
        this.#events.push(toLogLine(line, naming));
        this.#spent += this.#options.now() - began;
      }
    } catch {
      this.#sampled += 1;
    }
    this.#arm();
  }

  #sweep(): void {
    for (const [actorRef, naming] of this.#shown) {
      const snapshot = snapshotOf(actorRef) as { status?: unknown } | undefined;
      if (snapshot === undefined || snapshot.status === 'active') continue;
      this.#shown.delete(actorRef);
      this.#convert({ type: '@xstate.snapshot', actorRef, event: { type: 'xstate.stop' }, snapshot }, naming);
    }
  }

  #hasNoRoom(): boolean {
    this.#isFull = this.#events.length >= mostWaiting || this.#isBusy();
    return this.#isFull;
  }

  #isBusy(): boolean {
    this.#roll(this.#options.now());
    return this.#spent >= budgetMs;
  }

  #roll(now: number): void {
    if (now - this.#windowFrom >= windowMs) [this.#windowFrom, this.#spent] = [now, 0];
  }

  #convert(told: Inspected, naming: Naming): void {
    const began = this.#options.now();
    this.#roll(began);
    const event = toInspection(told, naming);
    this.#spent += this.#options.now() - began;
    if (event !== undefined) this.#events.push(event);
    if (told.type === '@xstate.snapshot') this.#behind.delete(told.actorRef);
    if (told.type === '@xstate.actor' && event !== undefined) this.#shown.set(told.actorRef, naming);
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    const { clock, loop, now } = this.#options;
    if (now() - this.#sentAt >= paceMs) loop.immediate(this.#flush);
    else clock.setTimeout(this.#flush, paceMs);
  }

  readonly #flush = (): void => {
    this.#armed = false;
    this.#isFull = false;
    if (this.#untaken >= mostUntaken) return;
    this.#sweep();
    for (const [actorRef, naming] of this.#behind) {
      if (this.#isBusy() || this.#events.length >= mostWaiting) break;
      this.#behind.delete(actorRef);
      const event = { type: 'holdfast.sampled' };
      this.#convert({ type: '@xstate.snapshot', actorRef, event, snapshot: snapshotOf(actorRef) }, naming);
    }
    if (this.#behind.size > 0 && !this.#armed) {
      this.#armed = true;
      this.#options.clock.setTimeout(this.#flush, windowMs);
    }
    if (this.#events.length === 0 && this.#sampled === 0) return;
    const [events, sampled] = [this.#events, this.#sampled];
    this.#events = [];
    this.#sampled = 0;
    this.#untaken += 1;
    const taken = (): void => {
      this.#untaken -= 1;
      if (this.#events.length > 0 || this.#behind.size > 0 || this.#sampled > 0) this.#arm();
    };
    this.#sentAt = this.#options.now();
    this.#options.send(events, sampled).then(taken, taken);
    this.#spent += this.#options.now() - this.#sentAt;
  };
}
