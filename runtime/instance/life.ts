export type InstancePhase =
  | 'starting'
  | 'running'
  | 'moving'
  | 'passive'
  | 'restarting'
  | 'quarantined'
  | 'stopping'
  | 'ended';

/** An event that may change the phase of an instance; {@link life} says which does when. */
export type LifeEvent =
  | 'run'
  | 'depart'
  | 'rest'
  | 'wake'
  | 'end'
  | 'pause'
  | 'restart'
  | 'give-up'
  | 'fence'
  | 'stop'
  | 'finish';

type Ways = Readonly<Partial<Record<LifeEvent, InstancePhase>>>;

/** What happens in every phase until the last. */
const stoppable = { stop: 'stopping', finish: 'ended' } as const;

/** What happens besides in every phase until the instance stops. */
const unended = { fence: 'stopping', ...stoppable } as const;

/**
 * What happens besides in every phase that an incarnation is in, or the wait for the next one. `end` comes also before it runs,
 * when a machine is done before its thread has said that it runs, and in the wait, when the next incarnation did not start or
 * the last one ended while it was stopped with its group.
 */
const alive = {
  end: 'restarting',
  pause: 'restarting',
  'give-up': 'quarantined',
  ...unended,
} as const;

/**
 * The life of an instance as a state chart: each phase, with the events that change it and the next phase of each. An
 * event that a phase does not list changes nothing. The chart is plain data and the configuration of an XState machine,
 * so that it can be drawn and simulated.
 *
 * - `run`: the thread has started the instance
 * - `depart`: the instance has left its thread to continue, as the same incarnation, on another one
 * - `rest`: the instance has left its thread and the memory of the host, and all there is of it is in the store
 * - `wake`: it comes back, as the same incarnation
 * - `end`: the incarnation has ended by itself or with its thread; the supervisor decides what follows
 * - `pause`: the incarnation is to end with another of its group; the supervisor says when the next one begins
 * - `restart`: the next incarnation begins
 * - `give-up`: the instance failed too often, or another of its group did
 * - `fence`: another runtime has continued with the address
 * - `stop`: the instance is stopped
 * - `finish`: nothing is left of the instance
 */
export const life = {
  id: 'instance',
  initial: 'starting',
  states: {
    starting: {
      on: {
        run: 'running',
        ...alive,
      },
    },
    running: {
      on: {
        depart: 'moving',
        rest: 'passive',
        ...alive,
      },
    },
    moving: {
      on: {
        run: 'running',
        ...alive,
      },
    },
    passive: {
      on: {
        wake: 'moving',
        ...unended,
      },
    },
    restarting: {
      on: {
        run: 'running',
        restart: 'restarting',
        ...alive,
      },
    },
    quarantined: {
      on: {
        restart: 'restarting',
        // The instance failed again before its restart.
        'give-up': 'quarantined',
        ...unended,
      },
    },
    stopping: {
      on: {
        // A restart decided before the stop: its incarnation is counted, and does not begin.
        restart: 'stopping',
        ...stoppable,
      },
    },
    ended: { on: {} },
  },
} as const satisfies {
  readonly id: string;
  readonly initial: InstancePhase;
  readonly states: Readonly<Record<InstancePhase, { readonly on: Ways }>>;
};

/** Returns the phase that an event leads to; `undefined` when the event changes nothing. */
export function phaseAfter(phase: InstancePhase, event: LifeEvent): InstancePhase | undefined {
  const { on }: { readonly on: Ways } = life.states[phase];
  return on[event];
}

/** Whether an instance in that phase accepts nothing: it has ended, is about to end, or is quarantined. */
export function isOver(phase: InstancePhase): boolean {
  return phase === 'ended' || phase === 'stopping' || phase === 'quarantined';
}
