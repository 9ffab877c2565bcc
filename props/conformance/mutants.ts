import type { AnyActorLogic, AnyActorScope, AnyEventObject } from 'xstate';
import type { Place } from './run-scenario.ts';

/** A place that does not tell every second event that an actor emits. */
export function losingEmitted(place: Place): Place {
  return mutated(place, (scope) => {
    const { emit } = scope;
    let n = 0;
    scope.emit = (event) => {
      if (n++ % 2 === 0) emit(event);
    };
  });
}

/** A place that does not tell every third state. */
export function losingSnapshots(place: Place): Place {
  return mutated(place, (_scope, logic) => {
    const { transition } = logic;
    let n = 0;
    logic.transition = (snapshot, event: AnyEventObject, scope) =>
      event.type === 'holdfast.mirror' && n++ % 3 === 2 ? snapshot : transition(snapshot, event, scope);
  });
}

function mutated(place: Place, mutate: (scope: AnyActorScope, logic: AnyActorLogic) => void): Place {
  return {
    ...place,
    async load(chart) {
      const logic = { ...(await place.load(chart)) } as AnyActorLogic;
      const { getInitialSnapshot } = logic;
      logic.getInitialSnapshot = (scope, input) => {
        mutate(scope, logic);
        return getInitialSnapshot(scope, input);
      };
      return logic;
    },
  };
}
