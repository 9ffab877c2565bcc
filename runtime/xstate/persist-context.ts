import type { AnyActorLogic } from 'xstate';

/** What a machine has of its own, bound to it. */
interface Persisting {
  readonly root?: unknown;
  getPersistedSnapshot: (this: void, snapshot: object, options?: unknown) => unknown;
}

/** Machines that heed {@link withoutContexts}. */
const heeding = new WeakSet<object>();
let isLeftOut = false;

/**
 * The logic; a machine heeds {@link withoutContexts} from then on. XState walks what is shared once for each way to it, which
 * doubles with each layer, and runs out of stack in a cycle or a long chain; and it is asked after every event when a
 * restart is to go on from the last state.
 */
export function heedingContexts(logic: AnyActorLogic): AnyActorLogic {
  const machine = logic as unknown as Persisting;
  if (machine.root === undefined || heeding.has(machine)) return logic;
  heeding.add(machine);
  const persist = machine.getPersistedSnapshot;
  machine.getPersistedSnapshot = (snapshot, options) =>
    persist(isLeftOut ? { ...snapshot, context: {} } : snapshot, options);
  return logic;
}

/** What `persist` gives, with an empty context for each machine in it: whoever asks has its own way with those. */
export function withoutContexts<T>(persist: () => T): T {
  isLeftOut = true;
  try {
    return persist();
  } finally {
    isLeftOut = false;
  }
}
