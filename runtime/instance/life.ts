export type InstancePhase =
  | 'starting'
  | 'running'
  | 'moving'
  | 'restarting'
  | 'quarantined'
  | 'stopping'
  | 'ended';

/** What changes the life of an instance: see {@link life}. */
export type LifeEvent =
  | 'run'
  | 'depart'
  | 'end'
  | 'pause'
  | 'restart'
  | 'give-up'
  | 'fence'
  | 'stop'
  | 'finish';

type Ways = Readonly<Partial<Record<LifeEvent, InstancePhase>>>;

/**
 * The life of an instance as a state chart: what changes its phase, and to which. An event that a phase does not list
 * leaves an instance of that phase as it is. Plain data, and the configuration of an XState machine, so that it can be
 * drawn and simulated.
 *
 * - `run`: its thread has started it
 * - `depart`: it has left its thread in order to go on, as the same incarnation, on another one
 * - `end`: its incarnation has ended by itself or with its thread; the supervisor decides what follows
 * - `pause`: its incarnation is to end with another of its group; the supervisor says when the next one begins
 * - `restart`: the next incarnation begins
 * - `give-up`: it failed too often, or another of its group did
 * - `fence`: another runtime has gone on with it
 * - `stop`: somebody ends it
 * - `finish`: nothing of it is left
 */
export const life = {
  id: 'instance',
  initial: 'starting',
  states: {
    starting: {
      on: {
        run: 'running',
        // A machine may be done before its thread has said that it runs.
        end: 'restarting',
        pause: 'restarting',
        'give-up': 'quarantined',
        fence: 'stopping',
        stop: 'stopping',
        finish: 'ended',
      },
    },
    running: {
      on: {
        depart: 'moving',
        end: 'restarting',
        pause: 'restarting',
        'give-up': 'quarantined',
        fence: 'stopping',
        stop: 'stopping',
        finish: 'ended',
      },
    },
    moving: {
      on: {
        run: 'running',
        end: 'restarting',
        pause: 'restarting',
        'give-up': 'quarantined',
        fence: 'stopping',
        stop: 'stopping',
        finish: 'ended',
      },
    },
    restarting: {
      on: {
        run: 'running',
        restart: 'restarting',
        // The next incarnation did not start, or the last one ended while it was stopped with its group.
        end: 'restarting',
        pause: 'restarting',
        'give-up': 'quarantined',
        fence: 'stopping',
        stop: 'stopping',
        finish: 'ended',
      },
    },
    quarantined: {
      on: {
        restart: 'restarting',
        // It failed again before it began anew.
        'give-up': 'quarantined',
        fence: 'stopping',
        stop: 'stopping',
        finish: 'ended',
      },
    },
    stopping: {
      on: {
        // Decided before it was stopped: that incarnation is counted, and does not begin.
        restart: 'stopping',
        stop: 'stopping',
        finish: 'ended',
      },
    },
    ended: { on: {} },
  },
} as const satisfies {
  readonly id: string;
  readonly initial: InstancePhase;
  readonly states: Readonly<Record<InstancePhase, { readonly on: Ways }>>;
};

/** The phase that an event leads to; `undefined`: the event changes nothing. */
export function phaseAfter(phase: InstancePhase, event: LifeEvent): InstancePhase | undefined {
  const { on }: { readonly on: Ways } = life.states[phase];
  return on[event];
}

/** The instance has ended, is about to, or is quarantined: it takes nothing. */
export function isOver(phase: InstancePhase): boolean {
  return phase === 'ended' || phase === 'stopping' || phase === 'quarantined';
}
