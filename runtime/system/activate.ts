import type { AgentRef } from '../instance/agent-ref.ts';
import type { Instance } from '../instance/instance.ts';

/** What runs at an address. */
export interface Running {
  readonly instance: Instance;
  readonly ref: AgentRef;
}

/**
 * Virtual addressing: whoever asks for an address gets the one instance there, which the first of them starts. Needs
 * no memory of its own: a spawn that is under way is found by its address, and what it ends with all get who wait.
 */
export async function activate(
  at: () => Running | undefined,
  spawn: () => Promise<AgentRef>,
): Promise<AgentRef> {
  for (let running; (running = at()) !== undefined;) {
    const { instance, ref } = running;
    if (instance.quarantine !== undefined) throw instance.quarantine;
    if (!instance.over) {
      // A restart is no start: this has settled then, and the ref is good meanwhile.
      await instance.started;
      return ref;
    }
    // Bounded: an instance that does not end in its thread is left there. Others may have taken its place by then.
    await instance.stop();
  }
  return spawn();
}
