import type { AnyActorRef, AnyEventObject, PromiseActorLogic, PromiseSnapshot } from 'xstate';
import { Ending } from '../base/ending.ts';

/** What work is begun with. */
export interface Begun<TInput> {
  readonly input: TInput;
  readonly system: AnyActorRef['system'];
  /** The actor is stopped: nobody waits for the work any more. */
  readonly ending: Ending;
}

interface Relaying {
  _relay(source: AnyActorRef, target: AnyActorRef, event: AnyEventObject): void;
}

const RESOLVED = 'xstate.promise.resolve';
const REJECTED = 'xstate.promise.reject';
const STOPPED = 'xstate.stop';

/**
 * The logic of XState's `fromPromise`, by the same events and states, for work of which there is much: it makes no
 * `AbortController` for each, and fewer promises.
 */
export function promised<TOutput, TInput = unknown>(
  begin: (begun: Begun<TInput>) => Promise<TOutput>,
): PromiseActorLogic<TOutput, TInput> {
  const endings = new Map<AnyActorRef, Ending>();
  const relay = (self: AnyActorRef, system: AnyActorRef['system'], type: string, data: unknown): void => {
    endings.delete(self);
    if (self.getSnapshot().status !== 'active') return;
    (system as unknown as Relaying)._relay(self, self, { type, data });
  };
  const over = (state: PromiseSnapshot<TOutput, TInput>, more: object): PromiseSnapshot<TOutput, TInput> => ({
    ...state,
    ...more,
    input: undefined,
  });
  return {
    transition(state, event, { self }) {
      if (state.status !== 'active') return state;
      switch (event.type) {
        case RESOLVED:
          return over(state, { status: 'done', output: event['data'] });
        case REJECTED:
          return over(state, { status: 'error', error: event['data'] });
        case STOPPED:
          endings.get(self)?.end(new DOMException('This operation was aborted', 'AbortError'));
          endings.delete(self);
          return over(state, { status: 'stopped' });
        default:
          return state;
      }
    },
    start(state, { self, system }) {
      if (state.status !== 'active') return;
      const ending = new Ending();
      endings.set(self, ending);
      begun(() => begin({ input: state.input as TInput, system, ending })).then(
        (value) => relay(self, system, RESOLVED, value),
        (error: unknown) => relay(self, system, REJECTED, error),
      );
    },
    getInitialSnapshot: (_, input) => ({ status: 'active', output: undefined, error: undefined, input }),
    getPersistedSnapshot: (snapshot) => snapshot,
    restoreSnapshot: (snapshot) => snapshot as PromiseSnapshot<TOutput, TInput>,
  };
}

function begun<T>(begin: () => Promise<T>): Promise<T> {
  try {
    return begin();
  } catch (error) {
    return Promise.reject(error);
  }
}
