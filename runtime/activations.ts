import type { AgentRef } from './agent-ref.ts';
import type { Instance } from './instance.ts';

/** Where an activation finds what runs. */
export interface Running {
  instanceAt(address: string): Instance | undefined;
  refAt(address: string): AgentRef | undefined;
}

/** Virtual addressing: whoever asks for an address gets the one instance there, which the first of them starts. */
export class Activations {
  readonly #running: Running;
  /** Starts, and waits for an end before a start, by address. */
  readonly #pending = new Map<string, Promise<AgentRef>>();

  constructor(running: Running) {
    this.#running = running;
  }

  /** What one start ends with, all get who asked meanwhile; after a failure the next one tries again. */
  get(address: string, spawn: () => Promise<AgentRef>): Promise<AgentRef> {
    const pending = this.#pending.get(address);
    if (pending !== undefined) return pending;
    const activation = this.#activate(address, spawn).finally(() => this.#pending.delete(address));
    this.#pending.set(address, activation);
    return activation;
  }

  async #activate(address: string, spawn: () => Promise<AgentRef>): Promise<AgentRef> {
    for (;;) {
      const instance = this.#running.instanceAt(address);
      const ref = this.#running.refAt(address);
      if (instance === undefined || ref === undefined) return spawn();
      if (!instance.over) {
        // Somebody else may have spawned it just now. A restart is no start: the ref is good meanwhile.
        await instance.started;
        return ref;
      }
      // Bounded: an instance that does not end in its thread is left there. Others may have taken its place by then.
      await instance.stop();
    }
  }
}
