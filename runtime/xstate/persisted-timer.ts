import type { PeerPlace } from './persisted-actors.ts';
import type { AnyEventObject } from 'xstate';

/**
 * When a timer of a restored instance comes. `deadline`: at the time of day at which it was due, at once when that has
 * passed. `remaining`: after what was left of it when it was saved. `restart`: after the whole delay.
 */
export type TimersPolicy = 'deadline' | 'remaining' | 'restart';

/** Whom a timer reaches: an actor within the instance, by the ids on the way to it, its parent, or another agent. */
export type TimerTarget = readonly string[] | { readonly parent: true } | PeerPlace;

/** An `after`, or an event sent with a delay, that has not come yet; plain data. */
export interface PersistedTimer {
  /** Who set it: ids of children on the way from the instance, which itself is `[]`. */
  readonly from: readonly string[];
  readonly to: TimerTarget;
  readonly event: AnyEventObject;
  /** Its name for `cancel`. Without one it is an event that was on its way between two actors, and comes at once. */
  readonly id?: string;
  /** The whole delay, in milliseconds. */
  readonly delayMs: number;
  /** When it is due, in milliseconds since the epoch. */
  readonly dueAt: number;
  /** What was left of it when it was saved, in milliseconds. */
  readonly leftMs: number;
}

/** An instance as plain data: what another incarnation, or another thread, continues from. */
export interface PersistedState {
  /** What XState persisted, children included. */
  readonly snapshot: unknown;
  /** What XState leaves out: timers, and events that were on their way within. */
  readonly timers: readonly PersistedTimer[];
  /** The machine's own `version`, if it has one. */
  readonly version?: string;
}

/** Milliseconds from `now` after which a timer is to come. */
export function waitOf(timer: PersistedTimer, policy: TimersPolicy, now: number): number {
  if (policy === 'restart') return timer.delayMs;
  return Math.max(0, policy === 'remaining' ? timer.leftMs : timer.dueAt - now);
}
