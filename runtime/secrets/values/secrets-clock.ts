import type { Clock } from '../../base/clock.ts';

/** The part of a clock that the use of secrets needs; XState's `SimulatedClock` has it. */
export type SecretsClock = Pick<Clock, 'now' | 'setTimeout' | 'clearTimeout'>;
