import type { PeerPlace } from './persisted-actors.ts';
import type { AnyEventObject } from 'xstate';

/**
 * The policy for the timers of a restored instance. `deadline`: a timer fires at the time it was due, at once if that
 * has passed. `remaining`: after the time that was left when it was saved. `restart`: after the whole delay.
 */
export type TimersPolicy = 'deadline' | 'remaining' | 'restart';

/** The target of a timer: an actor within the instance, by the ids on the path to it; the parent; or another agent. */
export type TimerTarget = readonly string[] | { readonly parent: true } | PeerPlace;

/** A pending `after` or delayed event, as plain data. */
export interface PersistedTimer {
  /** The actor that set it: the ids of the children on the path from the instance, which itself is `[]`. */
  readonly from: readonly string[];
  readonly to: TimerTarget;
  readonly event: AnyEventObject;
  /** The id for `cancel`. Absent for an event that was on its way between two actors, which is delivered at once. */
  readonly id?: string;
  /** The whole delay, in milliseconds. */
  readonly delayMs: number;
  /** The time at which it is due, in milliseconds since the epoch. */
  readonly dueAt: number;
  /** The time that was left when it was saved, in milliseconds. */
  readonly leftMs: number;
}

/** The state of an instance as plain data, from which another incarnation, or another thread, continues. */
export interface PersistedState {
  /** The snapshot that XState persisted, children included. */
  readonly snapshot: unknown;
  /** The parts that XState leaves out: timers, and events that were on their way between its actors. */
  readonly timers: readonly PersistedTimer[];
  /** The machine's own `version`, if it has one. */
  readonly version?: string;
  /** The work under way, in the state of a durable instance with such work. */
  readonly starts?: readonly StartOf[];
}

/** A promise, callback or observable at work: its path from the instance, and the name of its start. */
export type StartOf = readonly [path: readonly string[], name: string];

/** The milliseconds that a timer waits from `now` on, by policy. */
const waits: Readonly<Record<TimersPolicy, (timer: PersistedTimer, now: number) => number>> = {
  deadline: ({ dueAt }, now) => Math.max(0, dueAt - now),
  remaining: ({ leftMs }) => Math.max(0, leftMs),
  restart: ({ delayMs }) => delayMs,
};

/** The time from `now` until a timer fires, in milliseconds. */
export function waitOf(timer: PersistedTimer, policy: TimersPolicy, now: number): number {
  return waits[policy](timer, now);
}

/**
 * The time at which the earliest timer of a state is due, in milliseconds since the epoch; undefined when it has none.
 * An event that was on its way between two actors is due at once.
 */
export function dueAtOf({ timers }: Pick<PersistedState, 'timers'>): number | undefined {
  let earliest: number | undefined;
  for (const { dueAt } of timers) if (earliest === undefined || dueAt < earliest) earliest = dueAt;
  return earliest;
}
