import type { AgentRef } from '../instance/agent-ref.ts';
import type { Instance } from '../instance/instance.ts';

/** The instance at an address, with its reference. */
export interface Running {
  readonly instance: Instance;
  readonly ref: AgentRef;
}

/**
 * Virtual addressing: every caller gets the one instance at an address, which the first of them starts. It needs no memory
 * of its own: a spawn that is under way is found by its address, and all who wait get its outcome.
 */
export async function activate(
  at: () => Running | undefined,
  spawn: () => Promise<AgentRef>,
): Promise<AgentRef> {
  for (let running; (running = at()) !== undefined;) {
    const { instance, ref } = running;
    if (instance.quarantine !== undefined) throw instance.quarantine;
    if (!instance.over) {
      // During a restart `started` has long settled, and the reference is good meanwhile.
      await instance.started;
      return ref;
    }
    // Bounded, since an instance that does not end in its thread is left there. Another may have the address by then.
    await instance.stop();
  }
  return spawn();
}
