import type { AnyActorLogic } from 'xstate';

/** The persistence of a machine, bound to it. */
interface Persisting {
  readonly root?: unknown;
  getPersistedSnapshot: (this: void, snapshot: object, options?: unknown) => unknown;
}

/** Machines that heed {@link withoutContexts}. */
const heeding = new WeakSet<object>();
let isLeftOut = false;

/**
 * Returns the logic; a machine heeds {@link withoutContexts} from then on. XState walks a shared part once for each
 * way to it, which doubles with each layer, and runs out of stack in a cycle or a long chain; and it is asked after
 * every event when a restart is to go on from the last state.
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

/**
 * Returns the result of `persist`, with an empty context for each machine in it: the caller handles contexts itself.
 */
export function withoutContexts<T>(persist: () => T): T {
  isLeftOut = true;
  try {
    return persist();
  } finally {
    isLeftOut = false;
  }
}
