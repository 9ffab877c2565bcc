import type { Clock } from '../base/clock.ts';

/** The clock of an actor system: what XState's own `Clock` has, and the date. Default of `date`: `Date.now`. */
export type ActorClock = Pick<Clock, 'setTimeout' | 'clearTimeout'> & Partial<Pick<Clock, 'date'>>;
